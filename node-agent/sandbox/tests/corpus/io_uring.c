/* K1: system calls that no filter sees. Source: io_uring(7); under a filter that denies openat and socket, IORING_OP_OPENAT
 * and IORING_OP_SOCKET still made both. Without a ring there is nothing to submit to. */
#include "attempt.h"
#include <linux/io_uring.h>

int main(void)
{
    static struct io_uring_params parameters;
    ATTEMPT("setup", syscall(SYS_io_uring_setup, 1, &parameters));
    ATTEMPT("enter", syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0));
    ATTEMPT("register", syscall(SYS_io_uring_register, -1, 0, NULL, 0));
    ATTEMPT("the older kind", syscall(SYS_io_setup, 1, (unsigned long[1]){0}));
    return 0;
}
