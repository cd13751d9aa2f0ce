#include <stdio.h>
static volatile char block[64 << 20];
int main(void) {
    for (size_t at = 0; at < sizeof block; at += 4096) block[at] = 1;
    puts("done");
}
