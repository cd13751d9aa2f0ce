/* What every C program of the corpus does: it makes its attempts and prints a line for each,
 *
 *   NAME ok | NAME ERRNO | NAME SIGNAL
 *
 * An attempt is an expression that is -1, with errno, when it is refused. ATTEMPT makes it in a child of its own, so
 * that a call that kills is seen as a signal; HERE makes it in this process, for what must stay or may not fork. */
#ifndef ATTEMPT_H
#define ATTEMPT_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static inline void attempt_tell(const char *name, int error)
{
    const char *word = error ? strerrorname_np(error) : "ok";
    if (word)
        printf("%s %s\n", name, word);
    else
        printf("%s %d\n", name, error);
    fflush(stdout);
}

static inline void attempt_await(const char *name, pid_t child)
{
    int status;
    if (child == -1) {
        printf("%s cannot fork: %s\n", name, strerrorname_np(errno));
        exit(1);
    }
    while (waitpid(child, &status, 0) == -1)
        if (errno != EINTR)
            exit(2);
    if (WIFSIGNALED(status)) {
        printf("%s SIG%s\n", name, sigabbrev_np(WTERMSIG(status)));
        fflush(stdout);
    } else {
        attempt_tell(name, WEXITSTATUS(status));
    }
}

#define ATTEMPT(name, expression)                                                                                     \
    do {                                                                                                              \
        fflush(stdout);                                                                                               \
        pid_t attempt_child = fork();                                                                                 \
        if (attempt_child == 0) {                                                                                     \
            errno = 0;                                                                                                \
            _exit((long)(expression) == -1 ? errno : 0);                                                              \
        }                                                                                                             \
        attempt_await(name, attempt_child);                                                                           \
    } while (0)

#define HERE(name, expression)                                                                                        \
    do {                                                                                                              \
        errno = 0;                                                                                                    \
        long attempt_result = (long)(expression);                                                                     \
        attempt_tell(name, attempt_result == -1 ? errno : 0);                                                         \
    } while (0)

/* What is printed when something is not refused but found to be so or not. */
static inline void found(const char *name, const char *what)
{
    printf("%s %s\n", name, what);
    fflush(stdout);
}

#endif
