/* R16: memory that may not be swapped or reclaimed. Source: mlock(2). */
#include "attempt.h"
#include <sys/mman.h>

int main(void)
{
    void *large = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ATTEMPT("all", mlockall(MCL_CURRENT));
    ATTEMPT("a megabyte", mlock(large, 1 << 20));
    ATTEMPT("a megabyte on fault", mlock2(large, 1 << 20, MLOCK_ONFAULT));
    ATTEMPT("a page", mlock(large, 4096));
    return 0;
}
