/* W4: sockets that reach the hypervisor, the kernel's crypto, its packet filter and the wire. Source: vsock(7),
 * netlink(7), packet(7), CVE-2024-1086 (nftables). A family that a kernel lacks fails alike without the sandbox. */
#include "attempt.h"
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <arpa/inet.h>
#include <sys/socket.h>

int main(void)
{
    ATTEMPT("vsock", socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK, 0));
    ATTEMPT("nftables", socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    ATTEMPT("routes", socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE));
    ATTEMPT("audit", socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT));
    ATTEMPT("packet", socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL)));
    ATTEMPT("packet, raw", socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL)));
    ATTEMPT("xdp", socket(44, SOCK_RAW, 0));
    return 0;
}
