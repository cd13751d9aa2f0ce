/* R22: memory of the kernel: names that do not exist, and the tables of a mapping touched here and there. Source:
 * slabinfo(5), mmap(2).
 *
 *   dentry_slab names|tables MOST */
#include "attempt.h"
#include <fcntl.h>
#include <sys/mman.h>

int main(int count, char **arguments)
{
    long most = count > 2 ? atol(arguments[2]) : 0;
    if (count > 1 && !strcmp(arguments[1], "names")) {
        char name[64];
        for (long i = 0; i < most; i++) {
            snprintf(name, sizeof name, "/usr/bin/evaljob-nothing-%ld", i);
            access(name, F_OK);
        }
        found("names", "asked for");
        return 0;
    }
    char *memory = mmap(NULL, 1L << 40, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return 1;
    madvise(memory, 1L << 40, MADV_NOHUGEPAGE);
    /* Reading maps the zero page: only the tables take memory. */
    for (long i = 0; i < most; i++)
        *(volatile char *)(memory + (i << 21));
    found("tables", "held");
    return 0;
}
