#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>
int main() {
    std::vector<std::thread> threads;
    for (int n = 0; n < 50; n++) threads.emplace_back([] { std::this_thread::sleep_for(std::chrono::minutes(10)); });
    std::puts("done");
}
