#include <stdio.h>
#include <stdlib.h>
int main(void) {
    int a, b;
    void *volatile block = malloc(100);
    scanf("%d%d", &a, &b);
    free(block);
    if (b == 0) free(block);
    printf("%d\n", b ? a / b : 0);
}
