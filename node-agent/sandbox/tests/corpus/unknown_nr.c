/* K5: every system call number, with zeros for arguments, each in a child of its own. Source: syscalls(2).
 *
 *   unknown_nr [NUMBER...]      leaves these out
 *
 * Prints NUMBER and what came of it, a line each; "blocked" for a call that did not come back within 300 ms. */
#include "attempt.h"
#include <sys/time.h>

static int left_out(long number, char **arguments)
{
    for (; *arguments; arguments++)
        if (atol(*arguments) == number)
            return 1;
    return 0;
}

int main(int count, char **arguments)
{
    struct itimerval soon = {.it_value.tv_usec = 300000};
    int ends[2];
    if (pipe(ends))
        return 1;
    for (long number = 0; number <= 600; number++) {
        int status;
        if (left_out(number, arguments + (count > 0)))
            continue;
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            dup2(ends[0], 0);
            setpgid(0, 0); /* kill(0, 0) and the like stay here */
            setitimer(ITIMER_REAL, &soon, NULL);
            errno = 0;
            long result = syscall(number, 0, 0, 0, 0, 0, 0);
            _exit(result == -1 ? errno : 0);
        }
        waitpid(child, &status, 0);
        if (WIFSIGNALED(status))
            printf("%ld %s%s\n", number, WTERMSIG(status) == SIGALRM ? "" : "SIG",
                   WTERMSIG(status) == SIGALRM ? "blocked" : sigabbrev_np(WTERMSIG(status)));
        else
            printf("%ld %s\n", number, WEXITSTATUS(status) ? strerrorname_np(WEXITSTATUS(status)) : "ok");
    }
    return 0;
}
