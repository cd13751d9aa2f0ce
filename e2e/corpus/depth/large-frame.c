#include <stdio.h>
int main(void) {
    volatile char numbers[16 << 20];  // more than the stack
    long n, sum = 0;
    for (long at = 0; at < (long)sizeof numbers; at += 4096) numbers[at] = 1;
    scanf("%ld", &n);
    while (n) sum += n--;
    printf("%ld\n", sum);
}
