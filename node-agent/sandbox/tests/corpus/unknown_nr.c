/* K5: every system call number, with zeros for arguments. Source: syscalls(2).
 *
 *   unknown_nr [NUMBER...]              each in a child of its own, from 0 to 600; leaves these out
 *   unknown_nr in-threads NUMBER...     each of these in a thread of its own, where children are refused
 *
 * Prints NUMBER and what came of it, a line each; "blocked" for a call that did not come back within 300 ms. */
#include "attempt.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/time.h>

static int left_out(long number, char **arguments)
{
    for (; *arguments; arguments++)
        if (atol(*arguments) == number)
            return 1;
    return 0;
}

static void in_child(long number, int silent)
{
    struct itimerval soon = {.it_value.tv_usec = 300000};
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(silent, 0);
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

/* A call that comes back says so here; a thread that does not come back is left to itself. */
static _Atomic int came[601];

static void *thread(void *number)
{
    errno = 0;
    long result = syscall((long)number, 0, 0, 0, 0, 0, 0);
    came[(long)number] = result == -1 ? errno : -1;
    return NULL;
}

static void in_thread(long number)
{
    pthread_t made;
    int error = pthread_create(&made, NULL, thread, (void *)number);
    if (error) {
        printf("%ld cannot be tried: %s\n", number, strerrorname_np(error));
        return;
    }
    pthread_detach(made);
    for (int waited = 0; waited < 3000 && !came[number]; waited++)
        usleep(100);
    printf("%ld %s\n", number, !came[number] ? "blocked" : came[number] == -1 ? "ok" : strerrorname_np(came[number]));
}

int main(int count, char **arguments)
{
    int ends[2];
    if (pipe(ends))
        return 1;
    if (count > 1 && !strcmp(arguments[1], "in-threads")) {
        dup2(ends[0], 0);
        for (arguments += 2; *arguments; arguments++)
            in_thread(atol(*arguments));
        fflush(stdout);
        _exit(0); /* whatever the threads do */
    }
    for (long number = 0; number <= 600; number++)
        if (!left_out(number, arguments + (count > 0)))
            in_child(number, ends[0]);
    return 0;
}
