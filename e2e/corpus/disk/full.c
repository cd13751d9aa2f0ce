#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
static char block[1 << 20];
int main(void) {
    char name[] = "file0";
    for (int n = 0; n < 20; n++, name[4]++)
        if (write(open(name, O_CREAT | O_WRONLY, 0600), block, sizeof block) != sizeof block) return 1;
    puts("done");
}
