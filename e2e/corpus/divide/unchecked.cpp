#include <cstdio>
#include <vector>
int main() {
    std::vector<long> numbers(2);
    for (long &number : numbers) std::scanf("%ld", &number);
    std::printf("%ld\n", numbers[0] % numbers[1] + numbers[0] / numbers[1]);
}
