#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
    printf("done");
    for (long left = atol(argv[1]) - 4; left > 0; left--) putchar(' ');
}
