#include <assert.h>
#include <stdio.h>
int main(void) {
    int a, b;
    scanf("%d%d", &a, &b);
    assert(b != 0);
    printf("%d\n", a / b);
}
