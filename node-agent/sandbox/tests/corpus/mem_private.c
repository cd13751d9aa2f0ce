/* R2: memory, touched page by page, in large pages where there are any. Source: mmap(2), madvise(2).
 *
 *   mem_private MIB */
#include "attempt.h"
#include <sys/mman.h>

int main(int count, char **arguments)
{
    size_t size = (count > 1 ? strtoul(arguments[1], NULL, 0) : 0) << 20;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return 1;
    madvise(memory, size, MADV_HUGEPAGE);
    for (size_t at = 0; at < size; at += 4096)
        memory[at] = 1;
    found("memory", "held");
    return 0;
}
