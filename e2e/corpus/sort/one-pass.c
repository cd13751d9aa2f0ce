#include <stdio.h>
int main(void) {
    int n, numbers[100];
    scanf("%d", &n);
    for (int i = 0; i < n; i++) scanf("%d", &numbers[i]);
    for (int i = 0; i + 1 < n; i++)  // a bubble sort without its outer loop
        if (numbers[i] > numbers[i + 1]) {
            int kept = numbers[i];
            numbers[i] = numbers[i + 1];
            numbers[i + 1] = kept;
        }
    for (int i = 0; i < n; i++) printf("%d\n", numbers[i]);
}
