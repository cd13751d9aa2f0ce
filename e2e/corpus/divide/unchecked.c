#include <stdio.h>
int main(void) {
    volatile int a, b;
    scanf("%d%d", (int *)&a, (int *)&b);
    printf("%d\n", a / b);
}
