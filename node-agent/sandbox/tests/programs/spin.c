/* Spins in several processes at once, on every CPU it can get.
 *
 *   spin PROCESSES MILLISECONDS     each process uses that much CPU time; 0: without end */
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void spin(long milliseconds)
{
    struct timespec used;
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    while (!milliseconds || used.tv_sec * 1000 + used.tv_nsec / 1000000 < milliseconds);
}

int main(int count, char **arguments)
{
    int processes = count > 1 ? atoi(arguments[1]) : 1;
    long milliseconds = count > 2 ? atol(arguments[2]) : 0;
    cpu_set_t all;
    memset(&all, 0xff, sizeof all);
    sched_setaffinity(0, sizeof all, &all); /* allowed; the kernel takes away what does not exist */
    for (int i = 1; i < processes; i++)
        if (fork() == 0) {
            spin(milliseconds);
            return 0;
        }
    spin(milliseconds);
    while (wait(NULL) > 0)
        ;
    return 0;
}
