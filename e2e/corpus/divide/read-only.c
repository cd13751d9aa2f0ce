#include <stdio.h>
int main(void) {
    int a, b;
    scanf("%d%d", &a, &b);
    if (b == 0) *(volatile char *)"constant" = 'C';
    printf("%d\n", a / b);
}
