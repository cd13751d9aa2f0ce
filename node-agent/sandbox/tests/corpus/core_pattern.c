/* E7: files that make the kernel run a program as root of the node. Source: core(5), proc(5), binfmt_misc.
 *
 * Opened for writing and never written to. */
#include "attempt.h"
#include <fcntl.h>

int main(void)
{
    ATTEMPT("core_pattern", open("/proc/sys/kernel/core_pattern", O_WRONLY));
    ATTEMPT("modprobe", open("/proc/sys/kernel/modprobe", O_WRONLY));
    ATTEMPT("sysrq", open("/proc/sysrq-trigger", O_WRONLY));
    ATTEMPT("binfmt_misc", access("/proc/sys/fs/binfmt_misc", F_OK));
    ATTEMPT("uevent_helper", access("/sys/kernel", F_OK));
    return 0;
}
