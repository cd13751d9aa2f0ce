#include <stdio.h>
#include <stdlib.h>
int main(void) {
    void *volatile block = malloc(1UL << 60);  // refused, and the refusal is handled
    puts(block ? "granted" : "done");
}
