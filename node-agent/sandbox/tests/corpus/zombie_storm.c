/* R13: children that nobody waits for, their own and those they leave behind. Source: wait(2).
 *
 *   zombie_storm MOST */
#include "attempt.h"

int main(int count, char **arguments)
{
    int most = count > 1 ? atoi(arguments[1]) : 0, made = 0, error = 0;
    for (; made < most && !error; made++) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        error = child == -1 ? errno : 0;
    }
    attempt_tell("zombies", error);
    while (wait(NULL) > 0)
        ;
    /* Each leaves a grandchild, which becomes a child of the first process. That one is seen to reap them: far more
     * than may be there at once come and go. */
    for (made = 0; made < 2000; made++) {
        pid_t child = fork();
        if (child == 0) {
            if (fork() == 0)
                _exit(0);
            _exit(0);
        }
        if (child == -1)
            usleep(1000);
        else
            waitpid(child, NULL, 0);
    }
    found("orphans", "gone");
    return 0;
}
