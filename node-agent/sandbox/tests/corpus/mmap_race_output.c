/* F10: an output that is written through a mapping and renamed while its process ends. The page is filled with one
 * letter after another; a file that mixes them was read while it was written.
 *
 *   mmap_race_output         prints "begun", then goes on until it is killed */
#include "attempt.h"
#include <fcntl.h>
#include <sys/mman.h>

enum { SIZE = 4096 };

int main(void)
{
    char names[2][8] = {"out", "other"};
    int fd = open("out", O_RDWR | O_CREAT, 0600);
    char *page = ftruncate(fd, SIZE) ? MAP_FAILED : mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        return 1;
    memset(page, 'a', SIZE);
    puts("begun");
    fflush(stdout);
    if (fork() == 0)
        for (unsigned turn = 0;; turn++)
            rename(names[turn % 2], names[(turn + 1) % 2]);
    for (unsigned letter = 0;; letter++)
        for (int at = 0; at < SIZE; at++)
            ((volatile char *)page)[at] = 'a' + letter % 26;
}
