#include <stdio.h>
#include <stdlib.h>
static int by_value(const void *a, const void *b) { return *(int *)a - *(int *)b; }
int main(void) {
    int n, numbers[100];
    scanf("%d", &n);
    for (int i = 0; i < n; i++) scanf("%d", &numbers[i]);
    qsort(numbers, n, sizeof *numbers, by_value);
    for (int i = 0; i < n; i++) printf("%d\n", numbers[i]);
}
