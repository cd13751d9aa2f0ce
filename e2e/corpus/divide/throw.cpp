#include <iostream>
#include <stdexcept>
int main() {
    int a, b;
    std::cin >> a >> b;
    if (b == 0) throw std::domain_error("division by zero");
    std::cout << a / b << "\n";
}
