#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    for (int n = 0; n < 100; n++) {
        if (fork() == 0) _exit(0);
        wait(NULL);
    }
    puts("done");
}
