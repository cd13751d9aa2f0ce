#include <iostream>
int main() {
    std::cout << "done" << std::endl;
    for (;;) std::cerr << "warning\n";
}
