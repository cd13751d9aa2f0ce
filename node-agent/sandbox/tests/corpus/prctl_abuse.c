/* K8: what a process may set about itself. Source: prctl(2). */
#include "attempt.h"
#include <linux/prctl.h>
#include <sys/prctl.h>

int main(void)
{
    ATTEMPT("memory map", prctl(PR_SET_MM, PR_SET_MM_BRK, 0, 0, 0));
    ATTEMPT("seccomp off", prctl(PR_SET_SECCOMP, 0, 0, 0, 0));
    ATTEMPT("dumpable", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
    ATTEMPT("tracer", prctl(PR_SET_PTRACER, 1, 0, 0, 0));
    ATTEMPT("subreaper", prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    ATTEMPT("keep capabilities", prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
    ATTEMPT("securebits", prctl(PR_SET_SECUREBITS, 0, 0, 0, 0));
    ATTEMPT("speculation", prctl(PR_SET_SPECULATION_CTRL, 0, 0, 0, 0));
    ATTEMPT("core scheduling", prctl(62, 1, 0, 0, 0));
    ATTEMPT("no write and execute", prctl(65, 1, 0, 0, 0));
    ATTEMPT("time stamp counter", prctl(PR_SET_TSC, 1, 0, 0, 0));
    ATTEMPT("name", prctl(PR_SET_NAME, "x", 0, 0, 0));
    return 0;
}
