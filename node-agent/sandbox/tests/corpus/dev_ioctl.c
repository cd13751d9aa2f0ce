/* F5: input put into a terminal, line disciplines, and the same with bits that the kernel cuts off. Source:
 * ioctl_tty(2), CVE-2017-5226, CVE-2019-10063, CVE-2023-28100.
 *
 * On a terminal of its own where one can be had; of a run that has none the filter still answers first. */
#include "attempt.h"
#include <fcntl.h>
#include <sys/ioctl.h>

int main(void)
{
    int fd = 0, line = 0;
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    if (master != -1 && !grantpt(master) && !unlockpt(master))
        fd = open(ptsname(master), O_RDWR | O_NOCTTY);
    ATTEMPT("TIOCSTI", syscall(SYS_ioctl, fd, 0x5412L, "x"));
    ATTEMPT("TIOCSTI with a high bit", syscall(SYS_ioctl, fd, 0x100005412L, "x"));
    ATTEMPT("TIOCSETD", syscall(SYS_ioctl, fd, (long)TIOCSETD, &line));
    ATTEMPT("TIOCLINUX", syscall(SYS_ioctl, fd, (long)TIOCLINUX, "\2"));
    ATTEMPT("FIONREAD", syscall(SYS_ioctl, fd, (long)FIONREAD, &line));
    return 0;
}
