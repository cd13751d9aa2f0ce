/* Handles or blocks SIGSYS, as the argument says, and mounts: neither may help against a filter that kills. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

static void handle(int signal)
{
    (void)signal;
}

int main(int count, char **arguments)
{
    if (count == 2 && !strcmp(arguments[1], "handle")) {
        signal(SIGSYS, handle);
    } else {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        signal(SIGSYS, SIG_IGN);
    }
    mount("tmpfs", "/mnt", "tmpfs", 0, NULL);
    puts("alive");
    return 0;
}
