#include <chrono>
#include <cstdio>
#include <mutex>
#include <thread>
std::mutex first, second;
int main() {
    std::thread other([] {
        std::lock_guard one(second);
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        std::lock_guard two(first);
    });
    std::lock_guard one(first);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    std::lock_guard two(second);
    other.join();
    std::puts("done");
}
