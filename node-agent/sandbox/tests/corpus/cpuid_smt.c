/* S3: whose neighbour one is: the CPU's counter and number. Neither can be taken away without breaking honest programs:
 * documented; but nothing can be learnt of or asked for about the cores of others. Source: rdtsc, getcpu(2), prctl(2) PR_SCHED_CORE. */
#include "attempt.h"
#include <sched.h>
#include <sys/prctl.h>
#include <x86intrin.h>

int main(void)
{
    ATTEMPT("time stamp counter, told", __rdtsc() ? 0 : -1);
    ATTEMPT("CPU number, told", sched_getcpu());
    ATTEMPT("core scheduling", prctl(62, 0, 0, 0, &(unsigned long){0}));
    ATTEMPT("shape of the machine", access("/sys/devices/system/cpu", 0));
    return 0;
}
