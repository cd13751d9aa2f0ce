/* getpid by the i386 gate of an x86_64 process: a filter without a check of the architecture would take its number for
 * another call's. Source: arch/x86/entry/syscalls/syscall_32.tbl. */
#include <stdio.h>

int main(void)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory");
    printf("%ld\n", result);
    return result > 0 ? 0 : 1;
}
