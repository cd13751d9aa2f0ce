#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
    size_t size = atol(argv[1]) << 20;
    volatile char *block = malloc(size);
    for (size_t at = 0; at < size; at += 4096) block[at] = 1;
    puts("done");
}
