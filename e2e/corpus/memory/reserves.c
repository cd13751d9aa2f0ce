#include <stdio.h>
#include <sys/mman.h>
int main(void) {
    char *block = mmap(NULL, 8UL << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (block == MAP_FAILED) return 1;
    block[0] = 1;  // one page of 8 GiB
    puts("done");
}
