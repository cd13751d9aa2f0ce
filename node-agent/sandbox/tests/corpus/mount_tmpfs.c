/* E2: mounts, by the old call and by the new ones. Source: mount(2), fsopen(2), CVE-2022-0185 (fsconfig),
 * CVE-2021-41133 (a filter that knows the old call only). */
#include "attempt.h"
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mount.h>

int main(void)
{
    struct mount_attr attributes = {0};
    ATTEMPT("mount", mount("tmpfs", "/tmp", "tmpfs", 0, NULL));
    ATTEMPT("umount", umount2("/nothing", 0));
    ATTEMPT("pivot_root", syscall(SYS_pivot_root, "/nothing", "/nothing"));
    ATTEMPT("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
    ATTEMPT("fsconfig", syscall(SYS_fsconfig, -1, 0, NULL, NULL, 0));
    ATTEMPT("fsmount", syscall(SYS_fsmount, -1, 0, 0));
    ATTEMPT("fspick", syscall(SYS_fspick, AT_FDCWD, "/nothing", 0));
    ATTEMPT("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 0));
    ATTEMPT("move_mount", syscall(SYS_move_mount, -1, "", -1, "", 0));
    ATTEMPT("mount_setattr", syscall(SYS_mount_setattr, AT_FDCWD, "/nothing", 0, &attributes, sizeof attributes));
    return 0;
}
