/* E13: the first process of a run, which is another user's. Source: kill(2), ptrace(2), prlimit(2), proc(5).
 *
 * In the control the first process is this one, which may do all of it to itself. */
#include "attempt.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

int main(void)
{
    cpu_set_t cpus;
    struct rlimit limit = {16, 16};
    sched_getaffinity(0, sizeof cpus, &cpus);
    ATTEMPT("signal", kill(1, 0));
    ATTEMPT("see", access("/proc/1", F_OK));
    ATTEMPT("memory", open("/proc/1/mem", O_RDONLY));
    ATTEMPT("limits", prlimit(1, RLIMIT_NOFILE, &limit, NULL));
    ATTEMPT("priority", setpriority(PRIO_PROCESS, 1, 1));
    ATTEMPT("affinity", sched_setaffinity(1, sizeof cpus, &cpus));
    ATTEMPT("descriptor", syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, 1, 0), 0, 0));
    ATTEMPT("trace", ptrace(PTRACE_SEIZE, 1, 0, 0));
    return 0;
}
