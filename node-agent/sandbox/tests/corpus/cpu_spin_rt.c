/* R14: all of every CPU, ahead of everybody else. Source: sched(7), setpriority(2).
 *
 *   cpu_spin_rt [ask]       ask: only asks for the priorities */
#include "attempt.h"
#include <sched.h>
#include <sys/resource.h>

int main(int count, char **arguments)
{
    struct sched_param first = {.sched_priority = 1};
    cpu_set_t all;
    memset(&all, 0xff, sizeof all);
    ATTEMPT("SCHED_FIFO", sched_setscheduler(0, SCHED_FIFO, &first));
    ATTEMPT("SCHED_RR", sched_setscheduler(0, SCHED_RR, &first));
    ATTEMPT("nice", setpriority(PRIO_PROCESS, 0, -20));
    ATTEMPT("every CPU", sched_setaffinity(0, sizeof all, &all));
    if (count > 1)
        return 0;
    sched_setaffinity(0, sizeof all, &all);
    for (int i = 0; i < 8; i++)
        fork();
    for (;;)
        ;
}
