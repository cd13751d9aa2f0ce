/* E8: crashes, for the handler that the node's core_pattern may start as root. Source: core(5): a limit of 0 does not
 * stop a handler behind a pipe, a limit of 1 does. The kernel says in the wait status whether a core was written. */
#include "attempt.h"
#include <signal.h>
#include <sys/resource.h>

static void crash(const char *name, int signal)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        /* Whoever started the tests in the background may have left SIGQUIT ignored. */
        struct sigaction usual = {.sa_handler = SIG_DFL};
        sigaction(signal, &usual, NULL);
        kill(getpid(), signal);
        if (signal == SIGSYS)
            syscall(SYS_mount, 0, 0, 0, 0, 0);
        _exit(0);
    }
    waitpid(child, &status, 0);
    found(name, !WIFSIGNALED(status) ? "survived" : WCOREDUMP(status) ? "core" : "no core");
}

int main(void)
{
    struct rlimit most = {RLIM_INFINITY, RLIM_INFINITY}, now;
    ATTEMPT("raise the limit", setrlimit(RLIMIT_CORE, &most));
    setrlimit(RLIMIT_CORE, &most);
    getrlimit(RLIMIT_CORE, &now);
    printf("limit of one byte %d\n", now.rlim_max == 1);
    fflush(stdout);
    crash("SIGSEGV", SIGSEGV);
    crash("SIGQUIT", SIGQUIT);
    crash("SIGSYS", SIGSYS);
    return 0;
}
