/* K3: looking into and steering other processes, also one's own children. Source: ptrace(2), process_vm_readv(2),
 * kcmp(2), pidfd_getfd(2), CVE-2019-13272. */
#include "attempt.h"
#include <sys/ptrace.h>
#include <sys/uio.h>

int main(void)
{
    static char here, there = 'x';
    struct iovec local = {&here, 1}, remote = {&there, 1};
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    ATTEMPT("trace me", ptrace(PTRACE_TRACEME, 0, 0, 0));
    ATTEMPT("seize", ptrace(PTRACE_SEIZE, child, 0, 0));
    ATTEMPT("read", syscall(SYS_process_vm_readv, child, &local, 1, &remote, 1, 0));
    ATTEMPT("write", syscall(SYS_process_vm_writev, child, &local, 1, &remote, 1, 0));
    ATTEMPT("compare", syscall(SYS_kcmp, child, child, 1, 0, 0));
    ATTEMPT("take a descriptor", syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, child, 0), 0, 0));
    ATTEMPT("advise", syscall(SYS_process_madvise, -1, NULL, 0, 0, 0));
    ATTEMPT("robust list", syscall(SYS_get_robust_list, child, &(void *){0}, &(size_t){0}));
    kill(child, SIGKILL);
    return 0;
}
