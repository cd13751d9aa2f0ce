#include <iostream>
#include <set>
int main() {
    int n, number;
    std::set<int> numbers;  // equal ones once
    for (std::cin >> n; std::cin >> number;) numbers.insert(number);
    for (int each : numbers) std::cout << each << "\n";
}
