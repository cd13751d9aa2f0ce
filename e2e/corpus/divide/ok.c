#include <stdio.h>
int main(void) {
    int a, b;
    scanf("%d%d", &a, &b);
    if (b == 0) puts("undefined");
    else printf("%d\n", a / b);
}
