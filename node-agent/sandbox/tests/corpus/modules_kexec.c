/* K6: calls that load code into the kernel, restart the machine or reach its ports. Source: init_module(2),
 * kexec_load(2), reboot(2), iopl(2), swapon(2), acct(2), quotactl(2), syslog(2).
 *
 * None of them could: the arguments are such that the kernel refuses them to root, too. */
#include "attempt.h"

int main(void)
{
    ATTEMPT("init_module", syscall(SYS_init_module, NULL, 0, ""));
    ATTEMPT("finit_module", syscall(SYS_finit_module, -1, "", 0));
    ATTEMPT("delete_module", syscall(SYS_delete_module, "evaljob_nothing", 0x800));
    ATTEMPT("kexec_load", syscall(SYS_kexec_load, 0, 17, NULL, 0xffff0000L));
    ATTEMPT("kexec_file_load", syscall(SYS_kexec_file_load, -1, -1, 0, NULL, 0xff00L));
    ATTEMPT("reboot", syscall(SYS_reboot, 0, 0, 0, NULL));
#ifdef SYS_iopl
    ATTEMPT("iopl", syscall(SYS_iopl, 4));
    ATTEMPT("ioperm", syscall(SYS_ioperm, 0xffffff, 1, 1));
#endif
    ATTEMPT("swapon", syscall(SYS_swapon, "/nothing", 0));
    ATTEMPT("swapoff", syscall(SYS_swapoff, "/nothing"));
    ATTEMPT("acct", syscall(SYS_acct, "/nothing/here"));
    ATTEMPT("quotactl", syscall(SYS_quotactl, 0, NULL, 0, NULL));
    ATTEMPT("syslog", syscall(SYS_syslog, 10, NULL, 0));
    return 0;
}
