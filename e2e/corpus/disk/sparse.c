#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    char name[] = "file0";
    for (int n = 0; n < 8; n++, name[4]++)  // eight of 3 MiB, one byte in each
        if (pwrite(open(name, O_CREAT | O_WRONLY, 0600), "x", 1, (3 << 20) - 1) != 1) return 1;
    puts("done");
}
