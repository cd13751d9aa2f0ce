#include <stdio.h>
#include <stdlib.h>
int main(void) {
    for (int round = 0; round < 10; round++) {  // 160 MiB in all, 16 at once
        volatile char *block = malloc(16 << 20);
        for (long at = 0; at < 16 << 20; at += 4096) block[at] = 1;
        free((void *)block);
    }
    puts("done");
}
