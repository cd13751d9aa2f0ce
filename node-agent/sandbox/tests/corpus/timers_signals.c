/* R17: timers and queued signals, which are kernel memory by the user, and a storm of both. Source: timer_create(2),
 * sigqueue(3), setitimer(2). */
#include "attempt.h"
#include <sys/time.h>
#include <time.h>

static volatile long ticks;

static void tick(int number)
{
    (void)number;
    /* Stopped here: between two signals nothing else gets a turn. */
    if (++ticks == 100)
        setitimer(ITIMER_REAL, &(struct itimerval){{0}}, NULL);
}

int main(void)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    sigset_t queued;
    int made = 0;
    signal(SIGALRM, tick);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 1}, {0, 1}}, NULL);
    while (ticks < 100)
        ;
    found("storm", "over");
    for (errno = 0; made < 3000 && !timer_create(CLOCK_MONOTONIC, &event, &timer); made++)
        ;
    attempt_tell("timers", made < 3000 ? errno : 0);
    sigemptyset(&queued);
    sigaddset(&queued, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &queued, NULL);
    for (made = errno = 0; made < 3000 && !sigqueue(getpid(), SIGRTMIN, (union sigval){0}); made++)
        ;
    attempt_tell("signals", made < 3000 ? errno : 0);
    return 0;
}
