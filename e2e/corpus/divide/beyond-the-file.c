#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
int main(void) {
    int a, b;
    scanf("%d%d", &a, &b);
    int fd = open("empty", O_CREAT | O_RDWR, 0600);
    volatile char *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    if (b == 0) a += page[0];
    printf("%d\n", b ? a / b : 0);
}
