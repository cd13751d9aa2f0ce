#include <stdio.h>
int main(void) {
    long n;
    scanf("%ld", &n);
    if (n < 2) puts("impossible");
    else printf("%ld\n\n  %ld", n / 2, n - n / 2);  // on two lines, no line end
}
