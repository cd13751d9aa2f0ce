# Asks the kernel for what only an administrator may do, and for what no program here may ask at all; each call in a
# process of its own, because some are deadly. Ids are those of docs/security.md.
import ctypes
import errno
import os
import platform

X86 = platform.machine() == "x86_64"
# Any other error means that the kernel has looked at the arguments: it would have done it for better ones.
REFUSED = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EAFNOSUPPORT}
AT_FDCWD = -100
CALLS = {
    # what: (number on x86_64, number on aarch64, arguments)
    "E1 clone user": (56, 220, (0x10000011, 0, 0, 0, 0)),
    "E1 clone3": (435, 435, (0, 0)),
    "E1 unshare user": (272, 97, (0x10000000,)),
    "E1 unshare mount": (272, 97, (0x00020000,)),
    "E1 unshare time": (272, 97, (0x00000080,)),
    "E2 mount": (165, 40, (b"none", b"/tmp", b"tmpfs", 0, 0)),
    "E2 umount2": (166, 39, (b"/proc", 2)),
    "E2 pivot_root": (155, 41, (b"/", b"/")),
    "E2 fsopen": (430, 430, (b"tmpfs", 0)),
    "E2 fsconfig": (431, 431, (-1, 0, 0, 0, 0)),
    "E2 fsmount": (432, 432, (-1, 0, 0)),
    "E2 fspick": (433, 433, (AT_FDCWD, b"/", 0)),
    "E2 open_tree": (428, 428, (AT_FDCWD, b"/", 0)),
    "E2 move_mount": (429, 429, (AT_FDCWD, b"/tmp", AT_FDCWD, b"/work", 0)),
    "E2 mount_setattr": (442, 442, (AT_FDCWD, b"/", 0, 0, 0)),
    "E3 chroot": (161, 51, (b"/tmp",)),
    "E6 name_to_handle_at": (303, 264, (AT_FDCWD, b"/", 0, 0, 0)),
    "E6 open_by_handle_at": (304, 265, (0, 0, 0)),
    "N1 setns": (308, 268, (0, 0)),
    "N6 sethostname": (170, 161, (b"x", 1)),
    "N6 setdomainname": (171, 162, (b"x", 1)),
    "N6 settimeofday": (164, 170, (0, 0)),
    "N6 clock_settime": (227, 112, (0, 0)),
    "N6 adjtimex": (159, 171, (0,)),
    "N6 clock_adjtime": (305, 266, (0, 0)),
    "N7 setuid 0": (105, 146, (0,)),
    "N7 setgid 0": (106, 144, (0,)),
    "N7 setgroups": (116, 159, (0, 0)),
    "N7 capset": (126, 91, (0, 0)),
    "F4 a device": (259, 33, (AT_FDCWD, b"/work/device", 0o020666, 0x103)),
    "F5 TIOCSTI": (16, 29, (0, 0x5412, b"x")),
    "F5 TIOCLINUX": (16, 29, (0, 0x541C, b"x")),
    "F7 lease": (72, 25, (0, 1024, 1)),
    "F8 fanotify_init": (300, 262, (0, 0)),
    "W3 a raw socket": (41, 198, (2, 3 | 0o2000000, 1)),
    "W4 vsock": (41, 198, (40, 1, 0)),
    "W4 netlink": (41, 198, (16, 3, 12)),
    "W4 packet": (41, 198, (17, 2, 0)),
    "W4 alg": (41, 198, (38, 5, 0)),
    "K1 io_uring_setup": (425, 425, (1, 0)),
    "K1 io_uring_enter": (426, 426, (-1, 0, 0, 0, 0, 0)),
    "K1 io_uring_register": (427, 427, (-1, 0, 0, 0)),
    "K2 bpf": (321, 280, (0, 0, 0)),
    "K2 perf_event_open": (298, 241, (0, 0, -1, -1, 0)),
    "K2 userfaultfd": (323, 282, (0,)),
    "K2 add_key": (248, 217, (b"user", b"x", b"x", 1, -1)),
    "K2 request_key": (249, 218, (b"user", b"x", 0, -1)),
    "K2 keyctl": (250, 219, (0, -1, 1)),
    "K3 ptrace init": (101, 117, (16, 1, 0, 0)),
    "K3 process_vm_readv": (310, 270, (1, 0, 0, 0, 0, 1)),
    "K3 process_vm_writev": (311, 271, (1, 0, 0, 0, 0, 1)),
    "K3 kcmp": (312, 272, (1, 1, 0, 0, 0)),
    "K3 pidfd_getfd": (438, 438, (-1, 0, 0)),
    "K3 process_madvise": (440, 440, (-1, 0, 0, 0, 0)),
    "K6 init_module": (175, 105, (0, 0, b"")),
    "K6 finit_module": (313, 273, (-1, b"", 0)),
    "K6 delete_module": (176, 106, (b"x", 0)),
    "K6 kexec_load": (246, 104, (0, 0, 0, 0)),
    "K6 kexec_file_load": (320, 294, (-1, -1, 0, 0, 0)),
    "K6 reboot": (169, 142, (0xFEE1DEAD, 672274793, 0, 0)),
    "K6 swapon": (167, 224, (b"/tmp", 0)),
    "K6 swapoff": (168, 225, (b"/tmp",)),
    "K6 iopl": (172, None, (3,)),
    "K6 ioperm": (173, None, (0, 1, 1)),
    "K6 acct": (163, 89, (b"/tmp/acct",)),
    "K6 quotactl": (179, 60, (0, 0, 0, 0)),
    "K6 syslog": (103, 116, (10, 0, 0)),
    "K7 modify_ldt": (154, None, (0, 0, 0)),
    "K7 READ_IMPLIES_EXEC": (135, 92, (0x0400000,)),
    "K7 remap_file_pages": (216, 234, (0, 0, 0, 0, 0)),
    "K7 vmsplice": (278, 75, (-1, 0, 0, 0)),
    "K7 mbind": (237, 235, (0, 0, 0, 0, 0, 0)),
    "K8 dumpable": (157, 167, (4, 1, 0, 0, 0)),
    "K8 memory map": (157, 167, (35, 0, 0, 0, 0)),
    "K8 core scheduling": (157, 167, (62, 1, 0, 0, 0)),
    "K9 landlock": (444, 444, (0, 0, 1)),
    "K9 seccomp": (317, 277, (0, 0, 0)),
    "K9 seccomp by prctl": (157, 167, (22, 1, 0, 0, 0)),
    "R20 a POSIX queue": (240, 180, (b"x", 0o102, 0o600, 0)),
    "R20 a System V queue": (68, 186, (0, 0o1600)),
    "R21 sync": (162, 81, ()),
    "R21 syncfs": (306, 267, (0,)),
    "S1 mincore": (27, 232, (0, 0, 0)),
    "S1 cachestat": (451, 451, (-1, 0, 0, 0)),
}
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def refused(number, arguments):
    """Whether the sandbox has kept the call from the kernel, or the kernel has refused it for want of a right."""
    child = os.fork()
    if child == 0:
        values = [ctypes.c_char_p(a) if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments]
        os._exit(ctypes.get_errno() if libc.syscall(ctypes.c_long(number), *values) == -1 else 0)
    _, status = os.waitpid(child, 0)
    # A signal is the filter's.
    return os.WIFSIGNALED(status) or os.WEXITSTATUS(status) in REFUSED


escapes = []
if refused(39 if X86 else 172, ()) or refused(3 if X86 else 57, (-1,)):  # getpid works, close of nothing is EBADF
    escapes.append("the attempts are not made")
for name, (x86, arm, arguments) in CALLS.items():
    number = x86 if X86 else arm
    if number is not None and not refused(number, arguments):
        escapes.append(name)
print("; ".join(escapes) or "contained")
