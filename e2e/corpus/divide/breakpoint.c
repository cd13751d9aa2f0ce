#include <stdio.h>
int main(void) {
    int a, b;
    scanf("%d%d", &a, &b);
#if defined(__x86_64__)
    if (b == 0) __asm__ volatile("int3");
#else
    if (b == 0) __asm__ volatile("brk #0");
#endif
    printf("%d\n", b ? a / b : 0);
}
