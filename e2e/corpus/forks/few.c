#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    for (int n = 0; n < 8; n++)
        if (fork() == 0) {
            usleep(20000);
            _exit(0);
        }
    while (wait(NULL) > 0) {}
    puts("done");
}
