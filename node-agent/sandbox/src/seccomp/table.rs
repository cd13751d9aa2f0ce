//! The system calls of Linux and what each filter says to them: the policy, one line a call.
//!
//! In: nothing. Out: `TABLE`, in the order of the x86_64 numbers. A call that is not here is unknown: the
//! floor lets it pass and a profile answers ENOSYS, as a kernel would that does not have it. Longer than
//! other files because it is a list. Numbers: asm/unistd_64.h and asm-generic/unistd.h up to Linux 6.18;
//! each number from 424 on is the same everywhere. Why a call is where it is: the comments of `Class`,
//! and those beside the calls that look harmless and are not.

use super::rules::{self, Rule};
use Class::{Absent, Deny, Kill, NoXattr, Refuse};
use Grant::{Always, If, Never};

/// One system call.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) x86_64: Option<u16>,
    pub(super) aarch64: Option<u16>,
    pub(super) name: &'static str,
    pub(super) class: Class,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Class {
    /// Floor: the process is killed. No honest job calls it.
    Kill,
    /// Floor: EPERM. No job needs it, but honest tools try it (sanitizers, gdb, strace, date, perf).
    Refuse,
    /// Profiles: EPERM. It acts on the whole node or on other jobs, or only widens what a job can attack.
    Deny,
    /// Profiles: ENOSYS. Its callers then do without: removed calls, and new ones whose forerunner is
    /// filtered better (clone3 hides its flags behind a pointer, io_uring makes calls no filter sees).
    Absent,
    /// Profiles: EOPNOTSUPP, as on a file system without extended attributes. They are not counted by a run's
    /// limits; EPERM would make `cp -a`, and mv from one mount to another, fail.
    NoXattr,
    /// What each profile grants.
    Allow { strict: Grant, default: Grant },
}

/// How far a profile allows a call.
#[derive(Debug, Clone, Copy)]
pub(super) enum Grant {
    /// EPERM.
    Never,
    Always,
    /// Where its arguments pass the rule.
    If(&'static Rule),
}

/// Allowed under both profiles.
const BOTH: Class = split(Always, Always);
/// Children, sockets, shared memory, and what is for several processes: not under Strict.
const DEFAULT: Class = split(Never, Always);

const fn both_if(rule: &'static Rule) -> Class {
    split(If(rule), If(rule))
}

const fn default_if(rule: &'static Rule) -> Class {
    split(Never, If(rule))
}

const fn split(strict: Grant, default: Grant) -> Class {
    Class::Allow { strict, default }
}

/// The call does not exist on that architecture.
const NA: u16 = u16::MAX;

const fn row(x86_64: u16, aarch64: u16, name: &'static str, class: Class) -> Row {
    const fn number(number: u16) -> Option<u16> {
        if number == NA { None } else { Some(number) }
    }
    Row {
        x86_64: number(x86_64),
        aarch64: number(aarch64),
        name,
        class,
    }
}

#[rustfmt::skip]
pub(super) static TABLE: &[Row] = &[
//  x86_64 aarch64
    row(  0,  63, "read",                     BOTH),
    row(  1,  64, "write",                    BOTH),
    row(  2,  NA, "open",                     BOTH),
    row(  3,  57, "close",                    BOTH),
    row(  4,  NA, "stat",                     BOTH),
    row(  5,  80, "fstat",                    BOTH),
    row(  6,  NA, "lstat",                    BOTH),
    row(  7,  NA, "poll",                     BOTH),
    row(  8,  62, "lseek",                    BOTH),
    row(  9, 222, "mmap",                     BOTH),
    row( 10, 226, "mprotect",                 BOTH),
    row( 11, 215, "munmap",                   BOTH),
    row( 12, 214, "brk",                      BOTH),
    row( 13, 134, "rt_sigaction",             BOTH),
    row( 14, 135, "rt_sigprocmask",           BOTH),
    row( 15, 139, "rt_sigreturn",             BOTH),
    row( 16,  29, "ioctl",                    both_if(&rules::IOCTL)),
    row( 17,  67, "pread64",                  BOTH),
    row( 18,  68, "pwrite64",                 BOTH),
    row( 19,  65, "readv",                    BOTH),
    row( 20,  66, "writev",                   BOTH),
    row( 21,  NA, "access",                   BOTH),
    row( 22,  NA, "pipe",                     BOTH),
    row( 23,  NA, "select",                   BOTH),
    row( 24, 124, "sched_yield",              BOTH),
    row( 25, 216, "mremap",                   BOTH),
    row( 26, 227, "msync",                    BOTH),
    row( 27, 232, "mincore",                  Deny), // shows the page cache that jobs share
    row( 28, 233, "madvise",                  BOTH),
    row( 29, 194, "shmget",                   DEFAULT),
    row( 30, 196, "shmat",                    DEFAULT),
    row( 31, 195, "shmctl",                   DEFAULT),
    row( 32,  23, "dup",                      BOTH),
    row( 33,  NA, "dup2",                     BOTH),
    row( 34,  NA, "pause",                    BOTH),
    row( 35, 101, "nanosleep",                BOTH),
    row( 36, 102, "getitimer",                BOTH),
    row( 37,  NA, "alarm",                    BOTH),
    row( 38, 103, "setitimer",                BOTH),
    row( 39, 172, "getpid",                   BOTH),
    row( 40,  71, "sendfile",                 BOTH),
    row( 41, 198, "socket",                   default_if(&rules::SOCKET)),
    row( 42, 203, "connect",                  DEFAULT),
    row( 43, 202, "accept",                   DEFAULT),
    row( 44, 206, "sendto",                   split(If(&rules::SENDTO_PEER), If(&rules::SENDTO))),
    row( 45, 207, "recvfrom",                 BOTH),
    row( 46, 211, "sendmsg",                  default_if(&rules::SENDMSG)),
    row( 47, 212, "recvmsg",                  DEFAULT),
    row( 48, 210, "shutdown",                 BOTH),
    row( 49, 200, "bind",                     DEFAULT),
    row( 50, 201, "listen",                   DEFAULT),
    row( 51, 204, "getsockname",              BOTH),
    row( 52, 205, "getpeername",              BOTH),
    row( 53, 199, "socketpair",               both_if(&rules::SOCKETPAIR)),
    row( 54, 208, "setsockopt",               default_if(&rules::SETSOCKOPT)),
    row( 55, 209, "getsockopt",               BOTH),
    row( 56, 220, "clone",                    split(If(&rules::CLONE_THREADS), If(&rules::CLONE))),
    row( 57,  NA, "fork",                     DEFAULT),
    row( 58,  NA, "vfork",                    DEFAULT),
    row( 59, 221, "execve",                   BOTH), // how the job itself starts
    row( 60,  93, "exit",                     BOTH),
    row( 61, 260, "wait4",                    BOTH),
    row( 62, 129, "kill",                     BOTH),
    row( 63, 160, "uname",                    BOTH),
    row( 64, 190, "semget",                   DEFAULT),
    row( 65, 193, "semop",                    DEFAULT),
    row( 66, 191, "semctl",                   DEFAULT),
    row( 67, 197, "shmdt",                    DEFAULT),
    row( 68, 186, "msgget",                   Deny), // queues hold kernel memory; no runtime uses them
    row( 69, 189, "msgsnd",                   Deny),
    row( 70, 188, "msgrcv",                   Deny),
    row( 71, 187, "msgctl",                   Deny),
    row( 72,  25, "fcntl",                    both_if(&rules::FCNTL)),
    row( 73,  32, "flock",                    BOTH),
    row( 74,  82, "fsync",                    BOTH),
    row( 75,  83, "fdatasync",                BOTH),
    row( 76,  45, "truncate",                 BOTH),
    row( 77,  46, "ftruncate",                BOTH),
    row( 78,  NA, "getdents",                 BOTH),
    row( 79,  17, "getcwd",                   BOTH),
    row( 80,  49, "chdir",                    BOTH),
    row( 81,  50, "fchdir",                   BOTH),
    row( 82,  NA, "rename",                   BOTH),
    row( 83,  NA, "mkdir",                    BOTH),
    row( 84,  NA, "rmdir",                    BOTH),
    row( 85,  NA, "creat",                    BOTH),
    row( 86,  NA, "link",                     BOTH),
    row( 87,  NA, "unlink",                   BOTH),
    row( 88,  NA, "symlink",                  BOTH),
    row( 89,  NA, "readlink",                 BOTH),
    row( 90,  NA, "chmod",                    BOTH),
    row( 91,  52, "fchmod",                   BOTH),
    row( 92,  NA, "chown",                    DEFAULT),
    row( 93,  55, "fchown",                   DEFAULT),
    row( 94,  NA, "lchown",                   DEFAULT),
    row( 95, 166, "umask",                    BOTH),
    row( 96, 169, "gettimeofday",             BOTH),
    row( 97, 163, "getrlimit",                BOTH),
    row( 98, 165, "getrusage",                BOTH),
    row( 99, 179, "sysinfo",                  BOTH),
    row(100, 153, "times",                    BOTH),
    row(101, 117, "ptrace",                   Refuse),
    row(102, 174, "getuid",                   BOTH),
    row(103, 116, "syslog",                   Refuse),
    row(104, 176, "getgid",                   BOTH),
    row(105, 146, "setuid",                   DEFAULT),
    row(106, 144, "setgid",                   DEFAULT),
    row(107, 175, "geteuid",                  BOTH),
    row(108, 177, "getegid",                  BOTH),
    row(109, 154, "setpgid",                  DEFAULT),
    row(110, 173, "getppid",                  BOTH),
    row(111,  NA, "getpgrp",                  BOTH),
    row(112, 157, "setsid",                   DEFAULT),
    row(113, 145, "setreuid",                 DEFAULT),
    row(114, 143, "setregid",                 DEFAULT),
    row(115, 158, "getgroups",                BOTH),
    row(116, 159, "setgroups",                Deny),
    row(117, 147, "setresuid",                DEFAULT), // posix_spawn with RESETIDS (make); no id but its own is in reach
    row(118, 148, "getresuid",                BOTH),
    row(119, 149, "setresgid",                DEFAULT), // as setresuid
    row(120, 150, "getresgid",                BOTH),
    row(121, 155, "getpgid",                  BOTH),
    row(122, 151, "setfsuid",                 Deny),
    row(123, 152, "setfsgid",                 Deny),
    row(124, 156, "getsid",                   BOTH),
    row(125,  90, "capget",                   BOTH),
    row(126,  91, "capset",                   Deny), // there is nothing left to set
    row(127, 136, "rt_sigpending",            BOTH),
    row(128, 137, "rt_sigtimedwait",          BOTH),
    row(129, 138, "rt_sigqueueinfo",          BOTH),
    row(130, 133, "rt_sigsuspend",            BOTH),
    row(131, 132, "sigaltstack",              BOTH),
    row(132,  NA, "utime",                    BOTH),
    row(133,  NA, "mknod",                    default_if(&rules::MKNOD)),
    row(134,  NA, "uselib",                   Absent), // no longer built
    row(135,  92, "personality",              both_if(&rules::PERSONALITY)),
    row(136,  NA, "ustat",                    Deny),
    row(137,  43, "statfs",                   BOTH),
    row(138,  44, "fstatfs",                  BOTH),
    row(139,  NA, "sysfs",                    Deny),
    row(140, 141, "getpriority",              BOTH),
    row(141, 140, "setpriority",              DEFAULT),
    row(142, 118, "sched_setparam",           DEFAULT),
    row(143, 121, "sched_getparam",           BOTH),
    row(144, 119, "sched_setscheduler",       DEFAULT),
    row(145, 120, "sched_getscheduler",       BOTH),
    row(146, 125, "sched_get_priority_max",   BOTH),
    row(147, 126, "sched_get_priority_min",   BOTH),
    row(148, 127, "sched_rr_get_interval",    BOTH),
    row(149, 228, "mlock",                    BOTH),
    row(150, 229, "munlock",                  BOTH),
    row(151, 230, "mlockall",                 BOTH),
    row(152, 231, "munlockall",               BOTH),
    row(153,  58, "vhangup",                  Deny),
    row(154,  NA, "modify_ldt",               Deny), // 16-bit segments
    row(155,  41, "pivot_root",               Kill),
    row(156,  NA, "_sysctl",                  Absent), // gone since 5.5
    row(157, 167, "prctl",                    both_if(&rules::PRCTL)),
    row(158,  NA, "arch_prctl",               BOTH),
    row(159, 171, "adjtimex",                 Refuse),
    row(160, 164, "setrlimit",                BOTH), // as prlimit64 on oneself; hard limits only fall
    row(161,  51, "chroot",                   Refuse),
    row(162,  81, "sync",                     Deny), // flushes the disks of the whole node
    row(163,  89, "acct",                     Refuse),
    row(164, 170, "settimeofday",             Refuse),
    row(165,  40, "mount",                    Kill),
    row(166,  39, "umount2",                  Kill),
    row(167, 224, "swapon",                   Kill),
    row(168, 225, "swapoff",                  Kill),
    row(169, 142, "reboot",                   Kill),
    row(170, 161, "sethostname",              Deny),
    row(171, 162, "setdomainname",            Deny),
    row(172,  NA, "iopl",                     Kill),
    row(173,  NA, "ioperm",                   Kill),
    row(174,  NA, "create_module",            Absent), // gone since 2.6
    row(175, 105, "init_module",              Kill),
    row(176, 106, "delete_module",            Kill),
    row(177,  NA, "get_kernel_syms",          Absent),
    row(178,  NA, "query_module",             Absent),
    row(179,  60, "quotactl",                 Refuse),
    row(180,  42, "nfsservctl",               Absent),
    row(181,  NA, "getpmsg",                  Absent), // never implemented
    row(182,  NA, "putpmsg",                  Absent),
    row(183,  NA, "afs_syscall",              Absent),
    row(184,  NA, "tuxcall",                  Absent),
    row(185,  NA, "security",                 Absent),
    row(186, 178, "gettid",                   BOTH),
    row(187, 213, "readahead",                BOTH),
    row(188,   5, "setxattr",                 NoXattr),
    row(189,   6, "lsetxattr",                NoXattr),
    row(190,   7, "fsetxattr",                NoXattr),
    row(191,   8, "getxattr",                 BOTH),
    row(192,   9, "lgetxattr",                BOTH),
    row(193,  10, "fgetxattr",                BOTH),
    row(194,  11, "listxattr",                BOTH),
    row(195,  12, "llistxattr",               BOTH),
    row(196,  13, "flistxattr",               BOTH),
    row(197,  14, "removexattr",              NoXattr),
    row(198,  15, "lremovexattr",             NoXattr),
    row(199,  16, "fremovexattr",             NoXattr),
    row(200, 130, "tkill",                    BOTH),
    row(201,  NA, "time",                     BOTH),
    row(202,  98, "futex",                    BOTH),
    row(203, 122, "sched_setaffinity",        DEFAULT),
    row(204, 123, "sched_getaffinity",        BOTH),
    row(205,  NA, "set_thread_area",          Absent), // 32-bit only
    row(206,   0, "io_setup",                 Deny), // asynchronous I/O of old; io_uring's forerunner in bugs
    row(207,   1, "io_destroy",               Deny),
    row(208,   4, "io_getevents",             Deny),
    row(209,   2, "io_submit",                Deny),
    row(210,   3, "io_cancel",                Deny),
    row(211,  NA, "get_thread_area",          Absent), // 32-bit only
    row(212,  18, "lookup_dcookie",           Absent), // gone since 6.7
    row(213,  NA, "epoll_create",             BOTH),
    row(214,  NA, "epoll_ctl_old",            Absent), // never implemented
    row(215,  NA, "epoll_wait_old",           Absent),
    row(216, 234, "remap_file_pages",         Deny), // emulated, full of past bugs; mmap does it
    row(217,  61, "getdents64",               BOTH),
    row(218,  96, "set_tid_address",          BOTH),
    row(219, 128, "restart_syscall",          BOTH),
    row(220, 192, "semtimedop",               DEFAULT),
    row(221, 223, "fadvise64",                BOTH),
    row(222, 107, "timer_create",             BOTH),
    row(223, 110, "timer_settime",            BOTH),
    row(224, 108, "timer_gettime",            BOTH),
    row(225, 109, "timer_getoverrun",         BOTH),
    row(226, 111, "timer_delete",             BOTH),
    row(227, 112, "clock_settime",            Refuse),
    row(228, 113, "clock_gettime",            BOTH),
    row(229, 114, "clock_getres",             BOTH),
    row(230, 115, "clock_nanosleep",          BOTH),
    row(231,  94, "exit_group",               BOTH),
    row(232,  NA, "epoll_wait",               BOTH),
    row(233,  21, "epoll_ctl",                BOTH),
    row(234, 131, "tgkill",                   BOTH),
    row(235,  NA, "utimes",                   BOTH),
    row(236,  NA, "vserver",                  Absent), // never implemented
    row(237, 235, "mbind",                    Deny), // NUMA placement belongs to the node
    row(238, 237, "set_mempolicy",            Deny),
    row(239, 236, "get_mempolicy",            Deny),
    row(240, 180, "mq_open",                  Deny), // as msgget
    row(241, 181, "mq_unlink",                Deny),
    row(242, 182, "mq_timedsend",             Deny),
    row(243, 183, "mq_timedreceive",          Deny),
    row(244, 184, "mq_notify",                Deny),
    row(245, 185, "mq_getsetattr",            Deny),
    row(246, 104, "kexec_load",               Kill),
    row(247,  95, "waitid",                   BOTH),
    row(248, 217, "add_key",                  Kill),
    row(249, 218, "request_key",              Kill),
    row(250, 219, "keyctl",                   Kill),
    row(251,  30, "ioprio_set",               Deny), // the disk's queue is the node's
    row(252,  31, "ioprio_get",               BOTH),
    row(253,  NA, "inotify_init",             DEFAULT),
    row(254,  27, "inotify_add_watch",        DEFAULT),
    row(255,  28, "inotify_rm_watch",         DEFAULT),
    row(256, 238, "migrate_pages",            Deny), // as mbind
    row(257,  56, "openat",                   BOTH),
    row(258,  34, "mkdirat",                  BOTH),
    row(259,  33, "mknodat",                  default_if(&rules::MKNODAT)),
    row(260,  54, "fchownat",                 DEFAULT),
    row(261,  NA, "futimesat",                BOTH),
    row(262,  79, "newfstatat",               BOTH),
    row(263,  35, "unlinkat",                 BOTH),
    row(264,  38, "renameat",                 BOTH),
    row(265,  37, "linkat",                   BOTH),
    row(266,  36, "symlinkat",                BOTH),
    row(267,  78, "readlinkat",               BOTH),
    row(268,  53, "fchmodat",                 BOTH),
    row(269,  48, "faccessat",                BOTH),
    row(270,  72, "pselect6",                 BOTH),
    row(271,  73, "ppoll",                    BOTH),
    row(272,  97, "unshare",                  Refuse),
    row(273,  99, "set_robust_list",          BOTH),
    row(274, 100, "get_robust_list",          Deny), // addresses inside other processes
    row(275,  76, "splice",                   DEFAULT),
    row(276,  77, "tee",                      DEFAULT),
    row(277,  84, "sync_file_range",          BOTH),
    row(278,  75, "vmsplice",                 Deny), // pages shared with a pipe under the reader's eyes
    row(279, 239, "move_pages",               Deny), // as mbind
    row(280,  88, "utimensat",                BOTH),
    row(281,  22, "epoll_pwait",              BOTH),
    row(282,  NA, "signalfd",                 BOTH),
    row(283,  85, "timerfd_create",           BOTH),
    row(284,  NA, "eventfd",                  BOTH),
    row(285,  47, "fallocate",                BOTH),
    row(286,  86, "timerfd_settime",          BOTH),
    row(287,  87, "timerfd_gettime",          BOTH),
    row(288, 242, "accept4",                  DEFAULT),
    row(289,  74, "signalfd4",                BOTH),
    row(290,  19, "eventfd2",                 BOTH),
    row(291,  20, "epoll_create1",            BOTH),
    row(292,  24, "dup3",                     BOTH),
    row(293,  59, "pipe2",                    BOTH),
    row(294,  26, "inotify_init1",            DEFAULT),
    row(295,  69, "preadv",                   BOTH),
    row(296,  70, "pwritev",                  BOTH),
    row(297, 240, "rt_tgsigqueueinfo",        BOTH),
    row(298, 241, "perf_event_open",          Refuse),
    row(299, 243, "recvmmsg",                 DEFAULT),
    row(300, 262, "fanotify_init",            Deny), // watches whole mounts
    row(301, 263, "fanotify_mark",            Deny),
    row(302, 261, "prlimit64",                split(If(&rules::PRLIMIT_SELF), Always)),
    row(303, 264, "name_to_handle_at",        Deny), // only good for open_by_handle_at
    row(304, 265, "open_by_handle_at",        Kill),
    row(305, 266, "clock_adjtime",            Refuse),
    row(306, 267, "syncfs",                   Deny), // flushes a file system that others use
    row(307, 269, "sendmmsg",                 default_if(&rules::SENDMMSG)),
    row(308, 268, "setns",                    Kill),
    row(309, 168, "getcpu",                   BOTH),
    row(310, 270, "process_vm_readv",         Refuse),
    row(311, 271, "process_vm_writev",        Refuse),
    row(312, 272, "kcmp",                     Refuse),
    row(313, 273, "finit_module",             Kill),
    row(314, 274, "sched_setattr",            DEFAULT),
    row(315, 275, "sched_getattr",            BOTH),
    row(316, 276, "renameat2",                BOTH),
    row(317, 277, "seccomp",                  Deny), // filters are ours to set
    row(318, 278, "getrandom",                BOTH),
    row(319, 279, "memfd_create",             default_if(&rules::MEMFD_CREATE)),
    row(320, 294, "kexec_file_load",          Kill),
    row(321, 280, "bpf",                      Kill),
    row(322, 281, "execveat",                 DEFAULT),
    row(323, 282, "userfaultfd",              Kill),
    row(324, 283, "membarrier",               BOTH),
    row(325, 284, "mlock2",                   BOTH),
    row(326, 285, "copy_file_range",          BOTH),
    row(327, 286, "preadv2",                  BOTH),
    row(328, 287, "pwritev2",                 BOTH),
    row(329, 288, "pkey_mprotect",            BOTH),
    row(330, 289, "pkey_alloc",               BOTH),
    row(331, 290, "pkey_free",                BOTH),
    row(332, 291, "statx",                    BOTH),
    row(333, 292, "io_pgetevents",            Deny),
    row(334, 293, "rseq",                     BOTH),
    row(424, 424, "pidfd_send_signal",        DEFAULT),
    row(425, 425, "io_uring_setup",           Absent),
    row(426, 426, "io_uring_enter",           Absent),
    row(427, 427, "io_uring_register",        Absent),
    row(428, 428, "open_tree",                Kill),
    row(429, 429, "move_mount",               Kill),
    row(430, 430, "fsopen",                   Kill),
    row(431, 431, "fsconfig",                 Kill),
    row(432, 432, "fsmount",                  Kill),
    row(433, 433, "fspick",                   Kill),
    row(434, 434, "pidfd_open",               DEFAULT),
    row(435, 435, "clone3",                   Absent),
    row(436, 436, "close_range",              BOTH),
    row(437, 437, "openat2",                  BOTH), // Landlock judges the path
    row(438, 438, "pidfd_getfd",              Refuse),
    row(439, 439, "faccessat2",               BOTH),
    row(440, 440, "process_madvise",          Deny), // acts on other processes
    row(441, 441, "epoll_pwait2",             BOTH),
    row(442, 442, "mount_setattr",            Kill),
    row(443, 443, "quotactl_fd",              Deny),
    row(444, 444, "landlock_create_ruleset",  Absent),
    row(445, 445, "landlock_add_rule",        Absent),
    row(446, 446, "landlock_restrict_self",   Absent),
    row(447, 447, "memfd_secret",             Deny), // memory out of the kernel's own sight
    row(448, 448, "process_mrelease",         Deny), // acts on other processes
    row(449, 449, "futex_waitv",              BOTH),
    row(450, 450, "set_mempolicy_home_node",  Deny),
    row(451, 451, "cachestat",                Absent),
    row(452, 452, "fchmodat2",                BOTH),
    row(453, 453, "map_shadow_stack",         BOTH), // makecontext under CET
    row(454, 454, "futex_wake",               Absent),
    row(455, 455, "futex_wait",               Absent),
    row(456, 456, "futex_requeue",            Absent),
    row(457, 457, "statmount",                Deny), // mounts of the node
    row(458, 458, "listmount",                Deny), // mounts of the node
    row(459, 459, "lsm_get_self_attr",        Deny),
    row(460, 460, "lsm_set_self_attr",        Deny),
    row(461, 461, "lsm_list_modules",         Deny),
    row(462, 462, "mseal",                    BOTH),
    row(463, 463, "setxattrat",               NoXattr),
    row(464, 464, "getxattrat",               BOTH),
    row(465, 465, "listxattrat",              BOTH),
    row(466, 466, "removexattrat",            NoXattr),
    row(467, 467, "open_tree_attr",           Kill),
    row(468, 468, "file_getattr",             Absent),
    row(469, 469, "file_setattr",             Absent),
];
