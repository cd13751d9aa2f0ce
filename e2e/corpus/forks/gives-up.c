#include <stdio.h>
#include <unistd.h>
int main(void) {
    for (int n = 0; n < 50; n++) {
        int child = fork();
        if (child < 0) return perror("fork"), 1;
        if (child == 0) pause();
    }
    puts("done");
}
