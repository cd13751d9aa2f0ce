/* R20: queues, and System V objects up to their number. Source: mq_overview(7), sysvipc(7). */
#include "attempt.h"
#include <fcntl.h>
#include <mqueue.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

int main(void)
{
    int made = 0;
    ATTEMPT("POSIX queue", mq_open("/evaljob", O_CREAT | O_RDWR, 0600, NULL));
    ATTEMPT("System V queue", msgget(IPC_PRIVATE, 0600));
    for (errno = 0; made < 5000 && shmget(IPC_PRIVATE, 4096, 0600) != -1; made++)
        ;
    attempt_tell("memory", made < 5000 ? errno : 0);
    ATTEMPT("semaphores", semget(IPC_PRIVATE, 100, 0600));
    return 0;
}
