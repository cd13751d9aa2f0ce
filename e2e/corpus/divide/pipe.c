#include <stdio.h>
#include <unistd.h>
int main(void) {
    int a, b, ends[2];
    scanf("%d%d", &a, &b);
    pipe(ends);
    close(ends[0]);
    if (b == 0) write(ends[1], "x", 1);
    printf("%d\n", b ? a / b : 0);
}
