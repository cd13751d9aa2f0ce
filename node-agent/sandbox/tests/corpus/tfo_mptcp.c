/* W2: ways to a connection that Landlock's rule for connecting does not judge. Source: tcp(7), landlock(7).
 *
 * The network is empty: a call that no filter stops finds no way. */
#include "attempt.h"
#include <arpa/inet.h>
#include <linux/filter.h>
#include <sys/socket.h>

static struct sockaddr_in peer;

static int by_message(int fd)
{
    struct iovec part = {"x", 1};
    struct msghdr message = {.msg_name = &peer, .msg_namelen = sizeof peer, .msg_iov = &part, .msg_iovlen = 1};
    return sendmsg(fd, &message, MSG_FASTOPEN);
}

static int by_messages(int fd)
{
    struct iovec part = {"x", 1};
    struct mmsghdr messages = {{.msg_name = &peer, .msg_namelen = sizeof peer, .msg_iov = &part, .msg_iovlen = 1}, 0};
    return sendmmsg(fd, &messages, 1, MSG_FASTOPEN);
}

int main(void)
{
    char zeros[16] = "";
    int one = 1, tcp = socket(AF_INET, SOCK_STREAM, 0);
    peer = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ATTEMPT("fast open", sendto(tcp, "x", 1, MSG_FASTOPEN, (void *)&peer, sizeof peer));
    ATTEMPT("fast open by message", by_message(tcp));
    ATTEMPT("fast open by messages", by_messages(tcp));
    ATTEMPT("MPTCP", socket(AF_INET, SOCK_STREAM, 262));
    ATTEMPT("SCTP", socket(AF_INET, SOCK_STREAM, 132));
    ATTEMPT("a filter", setsockopt(tcp, SOL_SOCKET, SO_ATTACH_FILTER, zeros, sizeof zeros));
    ATTEMPT("an upper protocol", setsockopt(tcp, IPPROTO_TCP, 31, "none", 4));
    ATTEMPT("an option", setsockopt(tcp, IPPROTO_TCP, 1, &one, sizeof one));
    return 0;
}
