#include <stdio.h>
static long sum(volatile long n) { return n + sum(n - 1); }
int main(void) {
    long n;
    scanf("%ld", &n);
    printf("%ld\n", sum(n));
}
