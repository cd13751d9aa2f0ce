#include <stdio.h>
int main(void) {
    long n, a = 0, b = 1;
    scanf("%ld", &n);
    while (n--) {
        long next = (a + b) % 1000000007;
        a = b, b = next;
    }
    printf("%ld\n", a);
}
