/* K9: a sandbox in the sandbox: filters and rulesets of one's own. Source: landlock(7), seccomp(2). */
#include "attempt.h"
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

int main(void)
{
    struct landlock_ruleset_attr rules = {.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE};
    struct sock_filter allow = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    struct sock_fprog program = {1, &allow};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    ATTEMPT("ruleset", syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0));
    ATTEMPT("rule", syscall(SYS_landlock_add_rule, -1, 1, NULL, 0));
    ATTEMPT("restrict", syscall(SYS_landlock_restrict_self, -1, 0));
    ATTEMPT("filter", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
    ATTEMPT("listener", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
    ATTEMPT("filter by prctl", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0));
    ATTEMPT("still here", getpid());
    return 0;
}
