/* N7: becoming another user. Source: user_namespaces(7), credentials(7), capset(2).
 *
 * The maps are opened for writing and never written to. */
#include "attempt.h"
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/stat.h>

static int own_all(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};
    return syscall(SYS_capset, &header, data);
}

int main(void)
{
    ATTEMPT("uid_map", open("/proc/self/uid_map", O_WRONLY));
    ATTEMPT("gid_map", open("/proc/self/gid_map", O_WRONLY));
    ATTEMPT("setgroups", syscall(SYS_setgroups, 0, NULL));
    ATTEMPT("setuid", setuid(0));
    ATTEMPT("setresuid", setresuid(-1, 2000, -1));
    ATTEMPT("setresgid", setresgid(0, 0, 0));
    ATTEMPT("capset", own_all());
    close(open("mine", O_CREAT | O_WRONLY, 0600));
    ATTEMPT("chown", chown("mine", 1, 1));
    return 0;
}
