#include <cstdio>
#include <latch>
#include <mutex>
#include <thread>
std::mutex first, second;
std::latch both(2);
int main() {
    std::thread other([] {
        std::lock_guard one(second);
        both.arrive_and_wait();
        std::lock_guard two(first);
    });
    std::lock_guard one(first);
    both.arrive_and_wait();
    std::lock_guard two(second);
    other.join();
    std::puts("done");
}
