#include <stdio.h>
int main(void) {
    unsigned a, b;  // 32 bits, which wrap
    scanf("%d%d", (int *)&a, (int *)&b);
    printf("%d\n", (int)(a + b));
}
