/* Holds memory of one kind, touched page by page, then prints "held".
 *
 *   eat KIND MIB [MILLISECONDS]     private | shared | memfd | file | sysv | forked | child; stays so long
 *
 * forked: four children hold a quarter each, at the same time. child: one child holds it all; this process ignores
 * what becomes of the child and stays. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

static void touch(char *memory, size_t size)
{
    if (memory == (char *)-1) {
        perror("memory");
        exit(2);
    }
    for (size_t at = 0; at < size; at += 4096)
        memory[at] = 1;
}

static char *map(size_t size, int flags, int fd)
{
    return mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
}

static void from_file(int fd, size_t size)
{
    if (fd < 0 || ftruncate(fd, size)) {
        perror("file");
        exit(2);
    }
    touch(map(size, MAP_SHARED, fd), size);
}

int main(int count, char **arguments)
{
    const char *kind = count > 2 ? arguments[1] : "";
    size_t size = count > 2 ? strtoul(arguments[2], NULL, 0) << 20 : 0;
    if (!strcmp(kind, "private")) {
        touch(map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1), size);
    } else if (!strcmp(kind, "shared")) {
        touch(map(size, MAP_SHARED | MAP_ANONYMOUS, -1), size);
    } else if (!strcmp(kind, "memfd")) {
        from_file(memfd_create("eaten", MFD_CLOEXEC), size);
    } else if (!strcmp(kind, "file")) {
        from_file(open("/dev/shm/eaten", O_RDWR | O_CREAT, 0600), size);
    } else if (!strcmp(kind, "sysv")) {
        touch(shmat(shmget(IPC_PRIVATE, size, 0600), NULL, 0), size);
    } else if (!strcmp(kind, "forked")) {
        int ready[2], end[2];
        char byte;
        if (pipe(ready) || pipe(end))
            return 2;
        for (int i = 0; i < 4; i++)
            if (fork() == 0) {
                close(end[1]);
                touch(map(size / 4, MAP_PRIVATE | MAP_ANONYMOUS, -1), size / 4);
                if (write(ready[1], "x", 1) != 1)
                    return 2;
                return read(end[0], &byte, 1); /* until the parent is gone */
            }
        for (int i = 0; i < 4; i++)
            if (read(ready[0], &byte, 1) != 1)
                return 2;
    } else if (!strcmp(kind, "child")) {
        if (fork() == 0) {
            touch(map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1), size);
            return 0;
        }
        wait(NULL);
    } else {
        return 2;
    }
    puts("held");
    fflush(stdout);
    if (count > 3)
        usleep(1000 * atoi(arguments[3]));
    if (!strcmp(kind, "child"))
        pause();
    return 0;
}
