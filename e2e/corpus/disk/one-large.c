#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
static char block[1 << 20];
int main(void) {
    int file = open("file", O_CREAT | O_WRONLY, 0600);
    for (int n = 0; n < 6; n++) write(file, block, sizeof block);
    puts("done");
}
