/* R18: inotify instances, which the node counts by user, and epoll descriptors that watch each other. Source:
 * inotify(7), epoll(7).
 *
 *   inotify_epoll MOST */
#include "attempt.h"
#include <sys/epoll.h>
#include <sys/inotify.h>

int main(int count, char **arguments)
{
    int most = count > 1 ? atoi(arguments[1]) : 0, made = 0;
    for (errno = 0; made < most && inotify_init1(0) != -1; made++)
        ;
    attempt_tell("instances", made < most ? errno : 0);
    int chain[8];
    struct epoll_event event = {.events = EPOLLIN};
    for (int fd = 3; fd < 300; fd++)
        close(fd);
    for (int i = 0; i < 8; i++)
        chain[i] = epoll_create1(0);
    errno = 0;
    for (int i = 1; i < 8 && !errno; i++)
        epoll_ctl(chain[i], EPOLL_CTL_ADD, chain[i - 1], &event);
    attempt_tell("a chain of eight", errno);
    HERE("a circle", epoll_ctl(chain[0], EPOLL_CTL_ADD, chain[1], &event));
    return 0;
}
