/* R9: files that are larger than they are. Source: ftruncate(2), fallocate(2), getrlimit(2). */
#include "attempt.h"
#include <fcntl.h>

int main(void)
{
    int fd = open("sparse", O_RDWR | O_CREAT, 0600);
    ATTEMPT("truncate", ftruncate(fd, 4L << 40));
    signal(SIGXFSZ, SIG_IGN);
    ATTEMPT("truncate, signal ignored", ftruncate(fd, 4L << 40));
    ATTEMPT("write far away", pwrite(fd, "x", 1, 4L << 40));
    ATTEMPT("allocate", fallocate(fd, 0, 0, 4L << 40));
    return 0;
}
