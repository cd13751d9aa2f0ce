/* Uses a known amount of something, and says how much.
 *
 *   meter cpu MILLISECONDS    computes; prints microseconds by getrusage, those of its start included
 *   meter memory MIB          touches that much; prints bytes
 *   meter sleep MILLISECONDS  waits; prints microseconds
 *   meter spin PROCESSES      computes without end in so many processes */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static long used(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

int main(int count, char **arguments)
{
    long amount = count > 2 ? atol(arguments[2]) : 0, begun = used(), since = now();
    if (count < 3)
        return 2;
    if (!strcmp(arguments[1], "cpu")) {
        while (used() - begun < amount * 1000)
            ;
        printf("%ld\n", used());
    } else if (!strcmp(arguments[1], "memory")) {
        char *memory = mmap(NULL, amount << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            return 2;
        memset(memory, 1, amount << 20);
        printf("%ld\n", amount << 20);
    } else if (!strcmp(arguments[1], "sleep")) {
        struct timespec time = {amount / 1000, amount % 1000 * 1000000};
        nanosleep(&time, NULL);
        printf("%ld\n", now() - since);
    } else {
        for (long i = 1; i < amount; i++)
            if (fork() == 0)
                break;
        for (volatile long i = 0;; i++)
            ;
    }
    return 0;
}
