/* S1: which pages others have used: flush and reload, mincore, cachestat. Source: mincore(2), cachestat(2); CVE-2019-5489. */
#include "attempt.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

int main(void)
{
    unsigned char resident;
    struct {
        unsigned long offset, length;
    } range = {0, 4096};
    unsigned long counts[5];
    int fd = open("/bin/sh", O_RDONLY);
    void *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    ATTEMPT("mincore", mincore(page, 4096, &resident));
    ATTEMPT("cachestat", syscall(451, fd, &range, counts, 0));
    ATTEMPT("performance counters", syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
    return 0;
}
