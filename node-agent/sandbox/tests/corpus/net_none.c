/* W1: the network: TCP, UDP and ICMP, to this machine, others, and where clouds keep credentials. Source: ip(7),
 * udp(7), icmp(7).
 *
 * Where it may, it brings up the loopback device first. */
#include "attempt.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int try(int type, int protocol, const char *address, int port)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    int colon = !!strchr(address, ':');
    int fd = socket(colon ? AF_INET6 : AF_INET, type, protocol);
    if (fd == -1)
        return -1;
    if (colon)
        return inet_pton(AF_INET6, address, &six.sin6_addr) == 1 ? connect(fd, (void *)&six, sizeof six) : -1;
    return inet_pton(AF_INET, address, &four.sin_addr) == 1 ? connect(fd, (void *)&four, sizeof four) : -1;
}

static int listening(int family)
{
    struct sockaddr_storage any = {.ss_family = family};
    return bind(socket(family, SOCK_STREAM, 0), (void *)&any, sizeof any);
}

static int up(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    return ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, &request);
}

int main(void)
{
    ATTEMPT("lo up", up());
    ATTEMPT("TCP to itself", try(SOCK_STREAM, 0, "127.0.0.1", 1));
    ATTEMPT("UDP to itself", try(SOCK_DGRAM, 0, "127.0.0.1", 53));
    ATTEMPT("UDP to itself, IPv6", try(SOCK_DGRAM, 0, "::1", 53));
    ATTEMPT("ICMP", try(SOCK_RAW, IPPROTO_ICMP, "127.0.0.1", 0));
    ATTEMPT("listen", listening(AF_INET));
    ATTEMPT("listen, IPv6", listening(AF_INET6));
    ATTEMPT("metadata", try(SOCK_STREAM, 0, "169.254.169.254", 80));
    ATTEMPT("elsewhere", try(SOCK_STREAM, 0, "192.0.2.1", 10250));
    ATTEMPT("a name server", try(SOCK_DGRAM, 0, "192.0.2.1", 53));
    return 0;
}
