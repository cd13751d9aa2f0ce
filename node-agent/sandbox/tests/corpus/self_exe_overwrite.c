/* E4: writing to the program that runs a process, through /proc/PID/exe. Source: proc(5), CVE-2019-5736.
 *
 * Opened for writing and never written to: the control may be a program of the node. */
#include "attempt.h"
#include <fcntl.h>

static int of_child(void)
{
    char path[32];
    int ready[2];
    if (pipe2(ready, O_CLOEXEC))
        return -1;
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/sleep", "sleep", "1000", NULL);
        _exit(1);
    }
    close(ready[1]);
    if (read(ready[0], path, 1)) /* closed by execve */
        return -1;
    snprintf(path, sizeof path, "/proc/%d/exe", child);
    int fd = open(path, O_WRONLY), error = errno;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    errno = error;
    return fd;
}

int main(void)
{
    ATTEMPT("init", open("/proc/1/exe", O_RDONLY));
    ATTEMPT("a program of the image", of_child());
    return 0;
}
