#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>
static void burn(long milliseconds) {
    timespec used;
    do clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);  // of all threads together
    while (used.tv_sec * 1000 + used.tv_nsec / 1000000 < milliseconds);
}
int main(int, char **argv) {
    std::thread other(burn, std::atol(argv[1]));
    burn(std::atol(argv[1]));
    other.join();
    std::puts("done");
}
