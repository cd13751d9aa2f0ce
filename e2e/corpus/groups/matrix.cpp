#include <cstdio>
typedef unsigned long long number;
const number M = 1000000007;
int main() {
    number n, a = 1, b = 1, c = 0, x = 1, y = 0;  // powers of {{1, 1}, {1, 0}} times the vector x, y
    std::scanf("%llu", &n);
    for (; n; n /= 2) {
        if (n % 2) {
            number kept = (a * x + b * y) % M;
            y = (b * x + c * y) % M;
            x = kept;
        }
        number square = (a * a + b * b) % M, side = (a * b + b * c) % M;
        c = (b * b + c * c) % M, a = square, b = side;
    }
    std::printf("%llu\n", y);
}
