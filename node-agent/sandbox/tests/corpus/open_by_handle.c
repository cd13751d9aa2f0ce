/* E6: a file by its handle instead of by a path. Source: open_by_handle_at(2), the "shocker" of 2014. */
#include "attempt.h"
#include <fcntl.h>

int main(void)
{
    static struct {
        struct file_handle handle;
        unsigned char bytes[MAX_HANDLE_SZ];
    } root = {.handle.handle_bytes = MAX_HANDLE_SZ};
    int mount;
    ATTEMPT("make", name_to_handle_at(AT_FDCWD, "/", &root.handle, &mount, 0));
    ATTEMPT("open", syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, 0));
    return 0;
}
