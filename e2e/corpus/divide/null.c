#include <stdio.h>
int main(void) {
    int a, b;
    scanf("%d%d", &a, &b);
    volatile int *where = b ? &b : NULL;
    printf("%d\n", a / *where);
}
