/* W3: every family and type of socket, also with flags in the type. Source: socket(2); a filter that compares the type
 * without masking its flags lets raw sockets through.
 *
 * Prints the families in which a socket can be made, with types and ways. */
#include "attempt.h"
#include <sys/socket.h>

static const int FLAGS[] = {0, SOCK_CLOEXEC, SOCK_NONBLOCK};

int main(void)
{
    int others = 0;
    for (int family = 0; family <= 45; family++) {
        char types[16] = "";
        for (int type = 1; type <= 6; type++)
            for (int flag = 0; flag < 3; flag++)
                for (int protocol = 0; protocol < 256; protocol = protocol ? protocol * 3 + 8 : 1) {
                    int fd = syscall(SYS_socket, family, type | FLAGS[flag], protocol);
                    if (fd != -1 && !strchr(types, '0' + type))
                        types[strlen(types)] = '0' + type;
                    if (fd != -1)
                        close(fd);
                }
        if (!*types)
            continue;
        if (family == AF_UNIX || family == AF_INET || family == AF_INET6)
            printf("%s %s\n", family == AF_UNIX ? "unix" : family == AF_INET ? "inet" : "inet6", types);
        else
            others++;
    }
    printf("others %s\n", others ? "some" : "none");
    fflush(stdout);
    ATTEMPT("a family with a high bit", syscall(SYS_socket, 1L << 32 | AF_NETLINK, SOCK_RAW, 0));
    ATTEMPT("a pair of another family", socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){0}));
    return 0;
}
