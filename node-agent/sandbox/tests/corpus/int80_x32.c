/* K4: calls by a foreign ABI, whose numbers mean other calls. Source: arch/x86/entry/syscalls: 39 is mkdir of i386 and
 * getpid of x86_64. The x32 ABI shares the architecture and marks its numbers by a bit. */
#include "attempt.h"

static long int80(long number)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(0), "c"(0) : "memory");
    return result < 0 ? (errno = -result, -1) : result;
}

int main(void)
{
    ATTEMPT("i386 getpid", int80(20));
    ATTEMPT("i386 mkdir", int80(39));
    ATTEMPT("x32 getpid", syscall(0x40000000L | SYS_getpid));
    ATTEMPT("x32 execve", syscall(0x40000000L | 520, 0, 0, 0));
    ATTEMPT("a number with a high bit", syscall(0x100000000L | SYS_getpid));
    ATTEMPT("restart", syscall(SYS_restart_syscall));
    return 0;
}
