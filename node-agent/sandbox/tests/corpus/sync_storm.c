/* R21: flushing the node's disks, again and again. Source: sync(2), fsync(2). */
#include "attempt.h"
#include <fcntl.h>

int main(void)
{
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    ATTEMPT("sync", syscall(SYS_sync));
    ATTEMPT("syncfs", syncfs(fd));
    int done = 0;
    for (errno = 0; done < 10000 && !fsync(fd); done++)
        ;
    attempt_tell("fsync of an own file", errno);
    return 0;
}
