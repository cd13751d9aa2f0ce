#include <iostream>
int main() {
    long sum = 0, count = 0;
    for (long number; std::cin >> number; count++) sum += number;
    std::cout << sum / count << "\n";
}
