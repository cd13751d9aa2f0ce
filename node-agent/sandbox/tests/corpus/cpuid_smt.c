/* S3: whose neighbour one is: the CPU's counter and number. Neither can be taken away without breaking honest programs:
 * documented; but nothing can be learnt of or asked for about the cores of others. Source: rdtsc, getcpu(2), prctl(2) PR_SCHED_CORE. */
#include "attempt.h"
#include <sched.h>
#include <sys/prctl.h>
#ifdef __x86_64__
#include <x86intrin.h>
#else
static unsigned long __rdtsc(void)
{
    unsigned long count;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(count));
    return count;
}
#endif

int main(void)
{
    ATTEMPT("time stamp counter, told", __rdtsc() ? 0 : -1);
    ATTEMPT("CPU number, told", sched_getcpu());
    ATTEMPT("core scheduling", prctl(62, 0, 0, 0, &(unsigned long){0}));
    ATTEMPT("shape of the machine", access("/sys/devices/system/cpu", 0));
    return 0;
}
