/* E12: a program that is in no file. What it is may run, but under the same filters. Source: memfd_create(2),
 * fexecve(3).
 *
 *   memfd_exec [here|again]   here: does not fork, for Strict; again: the program in the memory */
#include "attempt.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>

static int copy(void)
{
    int fd = memfd_create("program", MFD_CLOEXEC), self = open("/proc/self/exe", O_RDONLY);
    if (fd == -1 || self == -1)
        return -1;
    while (sendfile(fd, self, NULL, 1 << 20) > 0)
        ;
    return fd;
}

int main(int count, char **arguments)
{
    char *again[] = {"memfd_exec", "again", NULL}, *none[] = {NULL};
    if (count > 1 && !strcmp(arguments[1], "again")) {
        mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
        return 0;
    }
    if (count > 1 && !strcmp(arguments[1], "here")) {
        HERE("memfd", memfd_create("program", 0));
        HERE("execveat", execveat(-1, "", none, none, AT_EMPTY_PATH));
        return 0;
    }
    ATTEMPT("by descriptor, then mount", fexecve(copy(), again, none));
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", copy());
    ATTEMPT("by path, then mount", execve(path, again, none));
    return 0;
}
