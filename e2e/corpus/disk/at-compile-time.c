#include <stdio.h>
char block[100 << 20] = {1};  // an executable of 100 MiB
int main(void) { puts("done"); }
