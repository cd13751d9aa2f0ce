/* Makes one system call and prints its errno, 0 for success.
 *
 *   call NUMBER [ARGUMENT...]     an argument is a number, s:TEXT (address of the text) or z:N (address of N zero bytes)
 * Source: syscall(2). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static long argument(char *text)
{
    if (!strncmp(text, "s:", 2))
        return (long)(text + 2);
    if (!strncmp(text, "z:", 2))
        return (long)calloc(1, strtoul(text + 2, NULL, 0));
    return strtol(text, NULL, 0);
}

int main(int count, char **arguments)
{
    long values[7] = {0};
    for (int i = 1; i < count && i <= 7; i++)
        values[i - 1] = argument(arguments[i]);
    errno = 0;
    long result = syscall(values[0], values[1], values[2], values[3], values[4], values[5], values[6]);
    int error = result == -1 ? errno : 0;
    if (result == 0 && (values[0] == SYS_fork || values[0] == SYS_clone))
        _exit(0); /* the child */
    printf("%d\n", error);
    return 0;
}
