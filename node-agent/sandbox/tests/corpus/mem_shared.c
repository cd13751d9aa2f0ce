/* R3: memory that is not a process's own: buffers of pipes and of sockets, and descriptors in flight. Source: pipe(7),
 * unix(7). (Shared mappings, memfds, files, System V memory: eat.c.)
 *
 *   mem_shared pipes|sockets MIB */
#include "attempt.h"
#include <fcntl.h>
#include <sys/socket.h>

static char block[1 << 16];

static int fill(int pair[2])
{
    int size = 1 << 20;
    long done = 0;
    fcntl(pair[1], F_SETFL, O_NONBLOCK);
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    for (long some; (some = write(pair[1], block, sizeof block)) > 0;)
        done += some;
    return done;
}

int main(int count, char **arguments)
{
    long wanted = (count > 2 ? atol(arguments[2]) : 0) << 20, held = 0;
    int sockets = count > 1 && !strcmp(arguments[1], "sockets"), pair[2];
    while (held < wanted) {
        int failed = sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, pair) : pipe(pair);
        if (!failed) {
            held += fill(pair);
            continue;
        }
        if (errno != EMFILE) {
            found("memory", strerrorname_np(errno));
            return 0;
        }
        /* The next thousand descriptors belong to a child; these stay open in this process. */
        pid_t child = fork();
        if (child == -1) {
            found("memory", "no more processes");
            return 0;
        }
        if (child) {
            waitpid(child, NULL, 0);
            return 0;
        }
        for (int fd = 3; fd < 1 << 16; fd++)
            close(fd);
    }
    found("memory", "held");
    return 0;
}
