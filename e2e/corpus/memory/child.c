#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    if (fork() == 0) {
        volatile char *block = malloc(64 << 20);
        for (long at = 0; at < 64 << 20; at += 4096) block[at] = 1;
        _exit(0);
    }
    wait(NULL);
    puts("done");  // the parent goes on as if nothing had been
}
