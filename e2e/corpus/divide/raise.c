#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
    int a, b;
    scanf("%d%d", &a, &b);
    if (b == 0) raise(atoi(argv[1]));
    printf("%d\n", b ? a / b : 0);
}
