/* Makes processes or threads that only wait, until refused or until there are MOST; prints how many were made.
 *
 *   many MOST processes|threads */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *wait_for_ever(void *nothing)
{
    for (;;)
        pause();
    return nothing;
}

int main(int count, char **arguments)
{
    int most = count > 1 ? atoi(arguments[1]) : 0, made = 0;
    int threads = count > 2 && !strcmp(arguments[2], "threads");
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 1 << 16);
    for (; made < most; made++) {
        if (threads) {
            pthread_t thread;
            if (pthread_create(&thread, &small, wait_for_ever, NULL))
                break;
        } else {
            pid_t child = fork();
            if (child == 0)
                wait_for_ever(NULL);
            if (child < 0)
                break;
        }
    }
    printf("%d\n", made);
    fflush(stdout);
    _exit(0);
}
