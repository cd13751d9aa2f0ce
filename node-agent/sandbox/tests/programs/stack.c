/* Uses MIB of stack by recursion. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int deeper(int kibibytes)
{
    volatile char frame[1024];
    memset((char *)frame, kibibytes, sizeof frame);
    return kibibytes > 0 ? deeper(kibibytes - 1) + frame[7] * 0 : frame[0];
}

int main(int count, char **arguments)
{
    int mebibytes = count > 1 ? atoi(arguments[1]) : 0;
    printf("%d\n", deeper(mebibytes * 1024));
    return 0;
}
