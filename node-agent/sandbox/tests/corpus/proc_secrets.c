/* P1: what /proc tells about the node. Source: proc(5). */
#include "attempt.h"
#include <fcntl.h>

int main(void)
{
    ATTEMPT("kallsyms", open("/proc/kallsyms", O_RDONLY));
    ATTEMPT("kcore", access("/proc/kcore", F_OK));
    ATTEMPT("keys", open("/proc/keys", O_RDONLY));
    ATTEMPT("kmsg", open("/proc/kmsg", O_RDONLY));
    ATTEMPT("sysrq", access("/proc/sysrq-trigger", F_OK));
    ATTEMPT("the kernel's command line", open("/proc/cmdline", O_RDONLY));
    ATTEMPT("modules", open("/proc/modules", O_RDONLY));
    ATTEMPT("partitions", open("/proc/partitions", O_RDONLY));
    ATTEMPT("sysctls", open("/proc/sys", O_RDONLY));
    ATTEMPT("init's environment", open("/proc/1/environ", O_RDONLY));
    ATTEMPT("own status", open("/proc/self/status", O_RDONLY));
    return 0;
}
