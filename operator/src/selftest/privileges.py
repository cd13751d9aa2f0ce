# Asks the kernel for what only an administrator may do; each call in a process of its own, because some are deadly.
import ctypes
import os
import platform

X86 = platform.machine() == "x86_64"
CALLS = {
    # name: (number on x86_64, number on aarch64, arguments)
    "mount": (165, 40, (b"none", b"/tmp", b"tmpfs", 0, 0)),
    "umount2": (166, 39, (b"/proc", 2)),
    "pivot_root": (155, 41, (b"/", b"/")),
    "chroot": (161, 51, (b"/tmp",)),
    "unshare user": (272, 97, (0x10000000,)),
    "unshare mount": (272, 97, (0x00020000,)),
    "setns": (308, 268, (0, 0)),
    "setuid 0": (105, 146, (0,)),
    "setgid 0": (106, 144, (0,)),
    "ptrace init": (101, 117, (16, 1, 0, 0)),
    "process_vm_readv": (310, 270, (1, 0, 0, 0, 0, 1)),
    "bpf": (321, 280, (0, 0, 0)),
    "perf_event_open": (298, 241, (0, 0, -1, -1, 0)),
    "io_uring_setup": (425, 425, (1, 0)),
    "userfaultfd": (323, 282, (0,)),
    "init_module": (175, 105, (0, 0, b"")),
    "kexec_load": (246, 104, (0, 0, 0, 0)),
    "reboot": (169, 142, (0xFEE1DEAD, 672274793, 0, 0)),
    "swapon": (167, 224, (b"/tmp", 0)),
    "add_key": (248, 217, (b"user", b"x", b"x", 1, -1)),
    "open_by_handle_at": (304, 265, (0, 0, 0)),
    "quotactl": (179, 60, (0, 0, 0, 0)),
    "settimeofday": (164, 170, (0, 0)),
    "sethostname": (170, 161, (b"x", 1)),
}
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
escapes = []
for name, (x86, arm, arguments) in CALLS.items():
    child = os.fork()
    if child == 0:
        number = x86 if X86 else arm
        values = [ctypes.c_char_p(a) if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments]
        os._exit(1 if libc.syscall(ctypes.c_long(number), *values) >= 0 else 0)
    _, status = os.waitpid(child, 0)
    # Exit 1: the call succeeded. An errno is a refusal, a signal is the filter's.
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 1:
        escapes.append(name)
print("; ".join(escapes) or "contained")
