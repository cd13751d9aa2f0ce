/* P5: writing to one's own program text by /proc/self/mem, and one's own security label. Source: proc(5). */
#include "attempt.h"
#include <fcntl.h>

static volatile const int constant = 1;

static int overwrite(void)
{
    int fd = open("/proc/self/mem", O_RDWR), two = 2;
    return fd == -1 ? -1 : pwrite(fd, &two, sizeof two, (off_t)&constant);
}

int main(void)
{
    ATTEMPT("constant", overwrite());
    ATTEMPT("own label", open("/proc/self/attr/exec", O_WRONLY));
    ATTEMPT("own clear_refs", open("/proc/self/clear_refs", O_WRONLY));
    return 0;
}
