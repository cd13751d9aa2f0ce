/* R19: chains of futexes that lend priority, and a list of held ones, a million long, that the kernel walks at exit. Source:
 * futex(2), get_robust_list(2), CVE-2014-3153. */
#include "attempt.h"
#include <linux/futex.h>
#include <pthread.h>

enum { THREADS = 30, ENTRIES = 1000000 };

static int chain[THREADS + 1];
static struct robust_list entries[ENTRIES];

/* Not by pthread_mutex_lock: glibc aborts when the holder dies. */
static void lock(int *futex)
{
    int nobody = 0;
    if (!__atomic_compare_exchange_n(futex, &nobody, (int)syscall(SYS_gettid), 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        syscall(SYS_futex, futex, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
}

static void *hold_and_wait(void *which)
{
    long at = (long)which;
    lock(&chain[at + 1]);
    lock(&chain[at]);
    return NULL;
}

static int lend(void)
{
    pthread_t thread;
    lock(&chain[0]);
    for (long i = 0; i < THREADS; i++)
        if (pthread_create(&thread, NULL, hold_and_wait, (void *)i))
            return -1;
    usleep(20000);
    return 0; /* ends with the chain as it is */
}

static int die_with_list(void)
{
    static struct robust_list_head head;
    for (int i = 0; i < ENTRIES; i++)
        entries[i].next = i + 1 < ENTRIES ? &entries[i + 1] : &head.list;
    head.list.next = &entries[0];
    return syscall(SYS_set_robust_list, &head, sizeof head);
}

int main(void)
{
    int one = 0, two = 0;
    ATTEMPT("chain", lend());
    ATTEMPT("list", die_with_list());
    ATTEMPT("requeue to itself", syscall(SYS_futex, &one, FUTEX_CMP_REQUEUE_PI, 1, 1, &one, 0));
    ATTEMPT("requeue", syscall(SYS_futex, &one, FUTEX_CMP_REQUEUE_PI, 1, 1, &two, 1));
    return 0;
}
