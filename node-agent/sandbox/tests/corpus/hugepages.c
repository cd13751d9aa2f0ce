/* R15: pages that the node keeps apart and no memory limit counts. Source: mmap(2), memfd_create(2), hugetlbfs. */
#include "attempt.h"
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/shm.h>

int main(void)
{
    ATTEMPT("memfd", memfd_create("x", MFD_HUGETLB));
    ATTEMPT("mount", mount("none", "/tmp", "hugetlbfs", 0, NULL));
    ATTEMPT("System V", shmget(IPC_PRIVATE, 2 << 20, SHM_HUGETLB | 0600));
    ATTEMPT("mapping", mmap(NULL, 2 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0));
    return 0;
}
