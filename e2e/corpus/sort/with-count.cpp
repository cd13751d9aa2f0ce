#include <algorithm>
#include <cstdio>
int main() {
    int n, numbers[101];
    std::scanf("%d", &n);
    numbers[0] = n;  // sorted with the others
    for (int i = 1; i <= n; i++) std::scanf("%d", &numbers[i]);
    std::sort(numbers, numbers + n + 1);
    for (int i = 0; i <= n; i++) std::printf("%d\n", numbers[i]);
}
