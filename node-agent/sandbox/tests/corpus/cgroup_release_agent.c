/* E9: mounting a cgroup hierarchy for its release_agent. Source: cgroups(7), CVE-2022-0492.
 *
 * The mount has an option that no kernel knows: where it is allowed it fails for that, and mounts nothing. */
#include "attempt.h"
#include <sched.h>
#include <sys/mount.h>

int main(void)
{
    ATTEMPT("cgroup namespace", unshare(CLONE_NEWCGROUP));
    ATTEMPT("mount", mount("cgroup", "/tmp", "cgroup", 0, "evaljob-no-option"));
    ATTEMPT("mount v2", mount("cgroup2", "/tmp", "cgroup2", 0, "evaljob-no-option"));
    return 0;
}
