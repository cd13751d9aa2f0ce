// Threads: clone3 is answered so that the C library falls back to clone (moby/moby#42680, elastic/apm-server#6238).
#include <atomic>
#include <cstdio>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>
thread_local unsigned own = 0;
int main() {
    std::atomic<unsigned> sum{0};
    std::vector<std::thread> pool;
    for (unsigned t = 0; t < 6; t++)
        pool.emplace_back([&sum, t] {
            for (int i = 0; i < 1000; i++) own += t;
            sum += own;
        });
    for (auto &t : pool) t.join();
    auto late = std::async(std::launch::async, []() -> unsigned { throw std::runtime_error("thrown"); });
    auto other = std::async(std::launch::async, [] { return own + 7; });
    try {
        late.get();
    } catch (const std::exception &error) {
        std::printf("%u %u %s %u\n", sum.load(), own, error.what(), other.get());
    }
}
