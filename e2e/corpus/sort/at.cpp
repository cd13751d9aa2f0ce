#include <algorithm>
#include <cstdio>
#include <vector>
int main() {
    int n;
    std::scanf("%d", &n);
    std::vector<int> numbers(n);
    for (int &number : numbers) std::scanf("%d", &number);
    std::sort(numbers.begin(), numbers.end());
    std::printf("%d\n", numbers.at(0));  // throws where there is none
    for (int i = 1; i < n; i++) std::printf("%d\n", numbers[i]);
}
