/* Files, memory, time, a handler: what the C library offers one process. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t alarms;

static void count(int number)
{
    (void)number;
    alarms++;
}

int main(void)
{
    char text[16] = "", *shared = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    FILE *file = fopen("file", "w+");
    struct timespec moment = {.tv_nsec = 1000000};
    strcpy(shared, "mapped");
    fputs("written", file);
    rewind(file);
    if (!fgets(text, sizeof text, file) || fclose(file) || remove("file"))
        return 1;
    signal(SIGALRM, count);
    alarm(1);
    pause();
    nanosleep(&moment, NULL);
    free(malloc(64 << 20));
    printf("%s %s %d %.3f %s\n", text, shared, (int)alarms, sqrt(2.0), getenv("HOME"));
    return 0;
}
