/* Prints the numbers of its open descriptors below 65536, by asking for each. */
#include <fcntl.h>
#include <stdio.h>

int main(void)
{
    for (int fd = 0; fd < 65536; fd++)
        if (fcntl(fd, F_GETFD) != -1)
            printf("%d ", fd);
    return 0;
}
