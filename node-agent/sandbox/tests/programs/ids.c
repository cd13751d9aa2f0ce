/* Prints its real and effective ids, for set-id executables. */
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    printf("%d %d %d %d\n", getuid(), geteuid(), getgid(), getegid());
    return 0;
}
