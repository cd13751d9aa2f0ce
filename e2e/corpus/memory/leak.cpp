#include <cstring>
#include <memory>
int main() {
    while (true) std::memset(new char[1 << 20], 1, 1 << 20);
}
