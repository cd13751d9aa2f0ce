#include <stdio.h>
#include <stdlib.h>
int main(void) {
    for (int n = 0; n < 100000; n++) putchar('x');
    fflush(stdout);
    abort();
}
