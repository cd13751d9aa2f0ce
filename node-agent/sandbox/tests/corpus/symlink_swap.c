/* A7: an output that is a file, then a link to a file outside, then a file, in a loop until it is killed; and the same
 * with the directory that it is in. Source: symlink(7), openat2(2), CVE-2024-28185.
 *
 *   symlink_swap TARGET DIRECTORY */
#include "attempt.h"
#include <fcntl.h>
#include <sys/stat.h>

static void write_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    if (fd == -1 || write(fd, "own", 3) != 3 || close(fd))
        exit(1);
}

int main(int count, char **arguments)
{
    if (count < 3)
        return 2;
    mkdir("directory", 0700);
    write_file("directory/out");
    write_file("file");
    if (symlink(arguments[2], "other-directory") || symlink(arguments[1], "other"))
        return 1;
    puts("begun");
    fflush(stdout);
    for (;;) {
        renameat2(AT_FDCWD, "file", AT_FDCWD, "other", RENAME_EXCHANGE);
        renameat2(AT_FDCWD, "directory", AT_FDCWD, "other-directory", RENAME_EXCHANGE);
    }
}
