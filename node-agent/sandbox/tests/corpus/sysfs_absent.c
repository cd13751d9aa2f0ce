/* P2: file systems that show or steer the kernel. Source: sysfs(5), cgroups(7). */
#include "attempt.h"
#include <fcntl.h>

int main(void)
{
    ATTEMPT("/sys", access("/sys", F_OK));
    ATTEMPT("cgroups", access("/sys/fs/cgroup", F_OK));
    ATTEMPT("debugfs", access("/sys/kernel/debug", F_OK));
    ATTEMPT("security", access("/sys/kernel/security", F_OK));
    ATTEMPT("devices", open("/sys/devices", O_RDONLY));
    return 0;
}
