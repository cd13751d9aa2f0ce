#include <iostream>
int main() {
    int n;
    std::cin >> n;
    std::cout << n - 1 << " " << 1 << "\n";  // also where n is 1
}
