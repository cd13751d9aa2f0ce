#include <iostream>
#include <string>
static long sum(long n, std::string where) { return n ? n + sum(n - 1, where) : 0; }
int main() {
    long n;
    std::cin >> n;
    std::cout << sum(n, "here") << "\n";
}
