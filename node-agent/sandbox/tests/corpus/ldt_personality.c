/* K7: old calls that weaken memory protection or share pages in odd ways. Source: modify_ldt(2), personality(2),
 * remap_file_pages(2), vmsplice(2), memfd_secret(2). */
#include "attempt.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/uio.h>

static int spliced(void)
{
    int ends[2];
    struct iovec part = {"x", 1};
    return pipe(ends) ? -1 : syscall(SYS_vmsplice, ends[1], &part, 1, 0);
}

int main(void)
{
    void *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
#ifdef SYS_modify_ldt
    ATTEMPT("modify_ldt", syscall(SYS_modify_ldt, 0, (char[8]){0}, 8));
#endif
    ATTEMPT("READ_IMPLIES_EXEC", personality(READ_IMPLIES_EXEC));
    ATTEMPT("ADDR_NO_RANDOMIZE", personality(ADDR_NO_RANDOMIZE));
    ATTEMPT("asking for it", personality(0xffffffff));
    ATTEMPT("remap_file_pages", syscall(SYS_remap_file_pages, shared, 4096, 0, 1, 0));
    ATTEMPT("vmsplice", spliced());
    ATTEMPT("NUMA policy", syscall(SYS_get_mempolicy, NULL, NULL, 0, NULL, 0));
    ATTEMPT("a pipe's size", fcntl(0, F_SETPIPE_SZ, 65536));
    return 0;
}
