#include <cstdio>
int main() {
    unsigned n, sum = 0;
    std::scanf("%u", &n);
    while (n) sum += n--;
    std::printf("%u\n", sum);
}
