/* S4: lines forged in the kernel's log: odd process names, the log device, the audit socket. Source: syslog(2),
 * netlink(7); the kernel itself writes odd bytes of names in hexadecimal. */
#include "attempt.h"
#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/prctl.h>
#include <sys/socket.h>

int main(void)
{
    ATTEMPT("an odd name", prctl(PR_SET_NAME, "\n\033[2Jaudit(", 0, 0, 0));
    ATTEMPT("/dev/kmsg", open("/dev/kmsg", O_WRONLY));
    ATTEMPT("read the log", syscall(SYS_syslog, 10, NULL, 0));
    ATTEMPT("audit", socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT));
    return 0;
}
