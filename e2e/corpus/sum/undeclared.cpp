#include <cstdio>
int main() { std::printf("%d\n", a + b); }
