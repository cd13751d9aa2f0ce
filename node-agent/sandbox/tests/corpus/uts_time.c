/* N6: names and clocks of the node. Source: sethostname(2), clock_settime(2), adjtimex(2).
 *
 * No call here could set a clock: clock 99 does not exist, the other arguments are not addresses. */
#include "attempt.h"

int main(void)
{
    ATTEMPT("host name", sethostname("evaljob", 7));
    ATTEMPT("domain name", setdomainname("evaljob", 7));
    ATTEMPT("clock_settime", syscall(SYS_clock_settime, 99, NULL));
    ATTEMPT("settimeofday", syscall(SYS_settimeofday, 1, NULL));
    ATTEMPT("adjtimex", syscall(SYS_adjtimex, NULL));
    ATTEMPT("clock_adjtime", syscall(SYS_clock_adjtime, 99, NULL));
    return 0;
}
