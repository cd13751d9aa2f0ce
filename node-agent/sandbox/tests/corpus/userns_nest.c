/* E1: a user namespace of one's own, the start of most kernel exploits. Source: user_namespaces(7), CVE-2022-0185. */
#include "attempt.h"
#include <linux/sched.h>

int main(void)
{
    struct clone_args arguments = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    ATTEMPT("unshare", syscall(SYS_unshare, CLONE_NEWUSER));
    ATTEMPT("clone", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
    ATTEMPT("clone3", syscall(SYS_clone3, &arguments, sizeof arguments));
    ATTEMPT("mount namespace", syscall(SYS_unshare, CLONE_NEWNS));
    ATTEMPT("time namespace", syscall(SYS_unshare, CLONE_NEWTIME));
    return 0;
}
