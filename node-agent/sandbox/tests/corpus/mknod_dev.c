/* F4: devices made or opened anew. Source: mknod(2), mount(8) nodev. */
#include "attempt.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

int main(void)
{
    ATTEMPT("memory", mknod("mem", S_IFCHR | 0600, makedev(1, 1)));
    ATTEMPT("disk", mknod("disk", S_IFBLK | 0600, makedev(8, 0)));
    ATTEMPT("null", mknod("null", S_IFCHR | 0600, makedev(1, 3)));
    ATTEMPT("in /dev/shm", mknod("/dev/shm/evaljob-null", S_IFCHR | 0600, makedev(1, 3)));
    unlink("/dev/shm/evaljob-null");
    ATTEMPT("open it", open("null", O_RDONLY));
    ATTEMPT("a FIFO", mknod("fifo", S_IFIFO | 0600, 0));
    ATTEMPT("/dev/console", access("/dev/console", F_OK));
    ATTEMPT("/dev/ptmx", open("/dev/ptmx", O_RDWR | O_NOCTTY));
    return 0;
}
