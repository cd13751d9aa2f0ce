/* K10: catching, ignoring or blocking the signal by which a filter kills. Source: seccomp(2): SECCOMP_RET_KILL_PROCESS
 * cannot be caught. */
#include "attempt.h"
#include <sys/mount.h>

static void handle(int number)
{
    (void)number;
}

static int trip(void)
{
    mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
    return 0;
}

static int blocked(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    return trip();
}

int main(void)
{
    ATTEMPT("handled", (signal(SIGSYS, handle), trip()));
    ATTEMPT("ignored", (signal(SIGSYS, SIG_IGN), trip()));
    ATTEMPT("blocked", blocked());
    return 0;
}
