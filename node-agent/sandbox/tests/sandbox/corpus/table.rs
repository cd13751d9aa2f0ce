//! The corpus, one line a case. Longer than other files because it is a list.
//!
//! `*` (star): needs nothing but the program and takes milliseconds.

use std::time::Duration;

use evaljob_sandbox::facts::Breach;

use super::row::Control::{Bare, BareWith, None as Without, Weaker};
use super::row::End::{Breaches, Exits, RunsOut, Says};
use super::row::Machine::{Aarch64, CgroupV2, LandlockBelow};
use super::row::{Row, attack, by, pair};
use crate::harness::program::{MIB, Program};
use crate::other_kernel;

/// So many milliseconds, and more where the machine is emulated.
fn patience(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds) * other_kernel::slowness()
}

/// What every program has, where it is not emulated.
fn usual(program: Program) -> Program {
    program.limit(|limits| {
        (limits.cpu_time, limits.wall_time) = (patience(20_000), patience(60_000));
    })
}

fn same(program: Program) -> Program {
    program
}

fn short(program: Program) -> Program {
    program.limit(|limits| limits.wall_time = patience(1500))
}

/// For programs that an interpreter must start first.
fn longer(program: Program) -> Program {
    program.limit(|limits| limits.wall_time = patience(4000))
}

fn small_memory(program: Program) -> Program {
    program.limit(|limits| limits.memory = 32 * MIB)
}

fn small_workspace(program: Program) -> Program {
    program.job(|job| job.workspace(4 * MIB))
}

fn few_descriptors(program: Program) -> Program {
    program.limit(|limits| limits.open_files = 64)
}

fn little_output(program: Program) -> Program {
    program.limit(|limits| limits.output = 1 << 20)
}

fn large_files(program: Program) -> Program {
    program.limit(|limits| limits.file_size = 8 << 40)
}

fn more_cpu(program: Program) -> Program {
    program.limit(|limits| limits.cpu_time = patience(1000))
}

fn megabyte(program: Program) -> Program {
    program.stdin(vec![0; 1 << 20])
}

fn little_cpu(program: Program) -> Program {
    program.limit(|limits| limits.cpu_time = patience(300))
}

#[rustfmt::skip]
pub(crate) const TABLE: &[Row] = &[
    // Escape.
    attack("E1", "userns_nest.c", "namespaces of one's own", Says("unshare EPERM, clone EPERM, clone3 ENOSYS, mount namespace EPERM, time namespace EPERM"), Bare("unshare ok, clone ok, clone3 ok, mount namespace ok, time namespace ok")).star(),
    attack("E2", "mount_tmpfs.c", "mounts, by old calls and new ones", Says("mount SIGSYS, umount SIGSYS, pivot_root SIGSYS, fsopen SIGSYS, fsconfig SIGSYS, fsmount SIGSYS, fspick SIGSYS, open_tree SIGSYS, move_mount SIGSYS, mount_setattr SIGSYS"), Bare("mount ok, umount ENOENT, pivot_root ENOENT, fsopen ok, fsconfig EINVAL, fsmount EBADF, fspick ENOENT, open_tree ok, move_mount ENOENT, mount_setattr ok")).star(),
    attack("E3", "chroot_dotdot.c", "out of a chroot by a kept directory", Says("chroot EPERM, above the root the root"), Bare("chroot ok, above the root the root")).star(),
    attack("E4", "self_exe_overwrite.c", "writing to the program of a process", Says("init ENOENT, a program of the image EROFS"), Bare("init ok, a program of the image ETXTBSY")).star(),
    attack("E5", "fd_leak_cwd.c", "a leaked descriptor or working directory", Says("ways out 0, working directory /work, by descriptor ENOENT"), BareWith(&["leak"], "ways out 1, working directory another, by descriptor ok")).star(),
    by("E5", "the same of an agent that leaks a thousand", &["[inherited] of an agent with a thousand open descriptors and other groups nothing reaches a run"]),
    attack("E6", "open_by_handle.c", "a file by its handle", Says("make EPERM, open SIGSYS"), Bare("make ok, open EFAULT")).star(),
    attack("E7", "core_pattern.c", "files that make the kernel run a program", Says("core_pattern ENOENT, modprobe ENOENT, sysrq ENOENT, binfmt_misc ENOENT, uevent_helper ENOENT"), Bare("core_pattern ok, modprobe ok|ENOENT, sysrq ok|ENOENT, binfmt_misc ok|ENOENT, uevent_helper ok")).star(),
    attack("E8", "crash_core_pipe.c", "crashes, for the handler of the node", Says("raise the limit EPERM, limit of one byte 1, SIGSEGV no core, SIGQUIT no core, SIGSYS no core"), Bare("raise the limit ok, limit of one byte 0, SIGSEGV core, SIGQUIT core, SIGSYS core")),
    attack("E9", "cgroup_release_agent.c", "mounting cgroups for their release_agent", Says("cgroup namespace EPERM, mount SIGSYS, mount v2 SIGSYS"), Bare("cgroup namespace ok, mount EINVAL, mount v2 EINVAL")).star(),
    by("E10", "an image whose directories are links out of it", &["[tree] an image whose directories are links leads nowhere"]),
    by("E11", "set-id programs of an image and of a volume", &["[identity] a set-id program of the image gives nothing", "[volumes] a set-id program of a node directory gives nothing"]),
    attack("E12", "memfd_exec.c", "a program in no file: it runs, under the same filters", Says("by descriptor, then mount SIGSYS, by path, then mount SIGSYS"), Bare("by descriptor, then mount ok, by path, then mount ok")).star(),
    attack("E12", "memfd_exec.c", "the same under Strict", Says("memfd EPERM, execveat EPERM"), Bare("memfd ok, execveat EBADF")).with(&["here"]).change(Program::strict).star(),
    attack("E13", "init_attack.c", "the first process of the run", Says("signal EPERM, see ENOENT, memory ENOENT, limits EPERM, priority EPERM, affinity EPERM, descriptor EPERM, trace EPERM"), Bare("signal ok, see ok, memory ok, limits ok, priority ok, affinity ok, descriptor ok, trace ok")).star(),
    by("E13", "what that process has itself given up", &["[init] init has given up everything when the program runs"]),
    // Namespaces.
    attack("N1", "ns_join.c", "joining namespaces", Says("own SIGSYS, of init ENOENT, by process SIGSYS"), Bare("own ok, of init ok, by process ok")).star(),
    attack("N2", "pid_probe.py", "other processes", Says("own number 2, signals reach 0, pidfds reach 0, /proc shows 0, init's command line ENOENT"), BareWith(&["other"], "own number 1, signals reach 1, pidfds reach 1, /proc shows 1, init's command line ok")),
    pair("N3", "shm_cross.py", "shared memory, semaphores and files under known names", ["", "memory False, semaphore False, . False, /tmp False, /dev/shm False"], ["", "memory True, semaphore True, . True, /tmp True, /dev/shm True"]),
    by("N3", "the same for the next run on the slot", &["[peers] nothing of a run is there for the next one on its slot"]),
    pair("N4", "keyring_cross.py", "keys", ["add SIGSYS, add for the user SIGSYS", "find SIGSYS"], ["add done", "find done"]),
    pair("N5", "abstract_sock.py", "abstract sockets of another job", ["", "connect ECONNREFUSED"], ["", "connect ok"]),
    by("N5", "abstract sockets of the node", &["[namespaces] an abstract socket of the node is out of reach"]),
    attack("N6", "uts_time.c", "names and clocks of the node", Says("host name EPERM, domain name EPERM, clock_settime EPERM, settimeofday EPERM, adjtimex EPERM, clock_adjtime EPERM"), Bare("host name ok, domain name ok, clock_settime EINVAL, settimeofday EFAULT, adjtimex EFAULT, clock_adjtime EFAULT")).star(),
    attack("N7", "uidmap_write.c", "becoming another user", Says("uid_map EACCES, gid_map EACCES, setgroups EPERM, setuid EPERM, setresuid EPERM, setresgid EPERM, capset EPERM, chown EPERM"), Bare("uid_map ok, gid_map ok, setgroups ok, setuid ok, setresuid ok, setresgid ok, capset ok, chown ok")).star(),
    // Files.
    attack("F1", "read_host.c", "what the node keeps for itself", Says("/etc/shadow ENOENT, /root ENOENT, /var ENOENT, /run ENOENT, /boot ENOENT, /opt ENOENT, /srv ENOENT, /mnt ENOENT, a secret ENOENT"), Bare("/etc/shadow ok, /root ok, /var ok, /run ok, /boot ok, /opt ok, /srv ok, /mnt ok, a secret ok")).with(&["{scratch}"]).star(),
    attack("F2", "write_ro.c", "changing what is not the run's own", Says("beside EROFS, overwrite EROFS, add EROFS, make a directory EROFS, truncate EROFS, chmod EROFS, utime EROFS, link EROFS, rename EROFS, remove EROFS"), BareWith(&["tree"], "beside ok, overwrite ok, add ok, make a directory ok, truncate ok, chmod ok, utime ok, link ok, rename ok, remove ok")).with(&["/usr"]).star(),
    attack("F3", "landlock_gaps.py", "what Landlock does not judge, and moving between trees", Says("change to / ok, list / EACCES, list /dev EACCES, what only mounting needs EACCES, ask a device EACCES, /root ENOENT, link a program EXDEV, rename EXDEV, exchange EXDEV"), BareWith(&["."], "change to / ok, list / ok, list /dev ok, what only mounting needs ok, ask a device ENOTTY, /root ok, link a program ok, rename ok, exchange ok")).with(&["/tmp"]).on(LandlockBelow(5), "change to / ok, list / EACCES, list /dev EACCES, what only mounting needs EACCES, ask a device ENOTTY, /root ENOENT, link a program EXDEV, rename EXDEV, exchange EXDEV"),
    attack("F4", "mknod_dev.c", "devices made anew", Says("memory EPERM, disk EPERM, null EPERM, in /dev/shm EPERM, open it ENOENT, a FIFO ok, /dev/console ENOENT, /dev/ptmx ENOENT"), Bare("memory ok, disk ok, null ok, in /dev/shm ok, open it ok, a FIFO ok, /dev/console ok, /dev/ptmx ok")).star(),
    by("F4", "the devices there are", &["[tree] of the node's devices exactly five are there"]),
    attack("F5", "dev_ioctl.c", "input put into a terminal", Says("TIOCSTI EPERM, TIOCSTI with a high bit EPERM, TIOCSETD EPERM, TIOCLINUX EPERM, FIONREAD ok"), Bare("TIOCSTI ok, TIOCSTI with a high bit ok, TIOCSETD ok, TIOCLINUX ENOTTY, FIONREAD ok")).star(),
    by("F6", "programs dropped in /tmp and /dev/shm", &["[tree] programs run from /work, /tmp and HOME, not from /dev/shm"]),
    pair("F7", "lock_channel.py", "locks on files of the image", ["lease EPERM, notify EPERM", "flock ok"], ["lease ok, notify ok", "flock EAGAIN"]),
    pair("F8", "inotify_spy.py", "events on files of the image", ["fanotify EPERM", "read ok"], ["fanotify ok, event seen", "read ok"]),
    attack("F9", "xattr_fill.py", "extended attributes", Says("user attribute ENOTSUP, of a descriptor ENOTSUP, access list ENOTSUP, remove ENOTSUP, list ok"), Bare("user attribute ok, of a descriptor ok, access list ok, remove ENODATA, list ok")),
    by("F10", "an output written and renamed at the end", &["[outputs] an output that is written and renamed when its run dies is one whole file"]),
    // /proc and /sys.
    attack("P1", "proc_secrets.c", "what /proc tells about the node", Says("kallsyms ENOENT, kcore ENOENT, keys ENOENT, kmsg ENOENT, sysrq ENOENT, the kernel's command line ENOENT, modules ENOENT, partitions ENOENT, sysctls ENOENT, init's environment ENOENT, own status ok"), Bare("kallsyms ok, kcore ok|ENOENT, keys ok, kmsg ok, sysrq ok|ENOENT, the kernel's command line ok, modules ok|ENOENT, partitions ok, sysctls ok, init's environment ok, own status ok")).star(),
    attack("P2", "sysfs_absent.c", "file systems that steer the kernel", Says("/sys ENOENT, cgroups ENOENT, debugfs ENOENT, security ENOENT, devices ENOENT"), Bare("/sys ok, cgroups ok, debugfs ok|ENOENT, security ok|ENOENT, devices ok")).star(),
    attack("P3", "oom_score.c", "choosing who dies when memory is short", Says("now 1000, never EACCES, first EACCES"), Bare("now 0, never ok|EACCES, first ok")).star().on(CgroupV2, "now 0, never EACCES, first EACCES"),
    attack("P4", "mountinfo_leak.py", "paths of the node in the mount table", Says("/sys/fs/cgroup not named, points False"), Bare("/sys/fs/cgroup named, points True")).with(&["/sys/fs/cgroup"]),
    by("P4", "the mounts there are", &["[tree] exactly the planned mounts are there, with their flags"]),
    attack("P5", "self_mem.c", "one's own program text and label", Says("constant EACCES, own label EACCES, own clear_refs EACCES"), Bare("constant ok, own label ok, own clear_refs ok")).star(),
    // Network.
    attack("W1", "net_none.c", "the network", Says("lo up EPERM, TCP to itself EACCES, UDP to itself ENETUNREACH, UDP to itself, IPv6 EADDRNOTAVAIL, ICMP EPERM, listen EACCES, listen, IPv6 EACCES, metadata EACCES, elsewhere EACCES, a name server ENETUNREACH"), Bare("lo up ok, TCP to itself ECONNREFUSED, UDP to itself ok, UDP to itself, IPv6 ok, ICMP ok, listen ok, listen, IPv6 ok, metadata ENETUNREACH, elsewhere ENETUNREACH, a name server ENETUNREACH")).star().on(LandlockBelow(4), "lo up EPERM, TCP to itself ENETUNREACH, UDP to itself ENETUNREACH, UDP to itself, IPv6 EADDRNOTAVAIL, ICMP EPERM, listen ok, listen, IPv6 ok, metadata ENETUNREACH, elsewhere ENETUNREACH, a name server ENETUNREACH"),
    attack("W2", "tfo_mptcp.c", "ways past the rule for connecting", Says("fast open EPERM, fast open by message EPERM, fast open by messages EPERM, MPTCP EPERM, SCTP EPERM, a filter EPERM, an upper protocol EPERM, an option ok"), Bare("fast open ENETUNREACH, fast open by message ENETUNREACH, fast open by messages ENETUNREACH, MPTCP ok, SCTP EPROTONOSUPPORT, a filter EINVAL, an upper protocol ENOENT, an option ok")).star(),
    attack("W3", "raw_families.c", "every family and type of socket", Says("unix 125, inet 12, inet6 12, others none, a family with a high bit EAFNOSUPPORT, a pair of another family EAFNOSUPPORT"), Bare("unix 1235, inet 123, inet6 123, others some, a family with a high bit ok, a pair of another family EOPNOTSUPP")).star(),
    attack("W4", "vsock_alg.c", "sockets of the hypervisor, the packet filter, the wire", Says("vsock EAFNOSUPPORT, nftables EAFNOSUPPORT, routes EAFNOSUPPORT, audit EAFNOSUPPORT, packet EAFNOSUPPORT, packet, raw EAFNOSUPPORT, xdp EAFNOSUPPORT"), Bare("vsock ok, nftables ok, routes ok, audit ok, packet ok, packet, raw ok, xdp ok")).star(),
    attack("W5", "unix_host.py", "sockets of the node's daemons", Says("a socket of the node ENOENT, containerd/containerd.sock ENOENT, docker.sock ENOENT, dbus/system_bus_socket ENOENT, a descriptor ok, as another EPERM"), Bare("a socket of the node ok, containerd/containerd.sock ok|ENOENT|ECONNREFUSED, docker.sock ok|ENOENT|ECONNREFUSED, dbus/system_bus_socket ok|ENOENT|ECONNREFUSED, a descriptor ok, as another ok")).with(&["{scratch}/socket"]),
    by("W6", "with a loopback device: scanning it, low ports, other networks", &["[loopback] neither the node nor another run is at the same address", "[loopback] the device cannot be changed, no low port taken, no other network reached", "[loopback] each run has a network that nobody used before"]),
    // Kernel.
    attack("K1", "io_uring.c", "calls that no filter sees", Says("setup ENOSYS, enter ENOSYS, register ENOSYS, the older kind EPERM"), Bare("setup ok, enter EBADF, register EINVAL, the older kind ok")).star(),
    attack("K2", "bpf_perf_uffd.c", "programs, faults, keys and counters", Says("bpf SIGSYS, userfaultfd SIGSYS, keyctl SIGSYS, add_key SIGSYS, request_key SIGSYS, perf_event_open EPERM"), Bare("bpf ok, userfaultfd ok, keyctl ok, add_key ok, request_key ENOKEY, perf_event_open ok")).star(),
    attack("K3", "ptrace_self.c", "looking into other processes", Says("trace me EPERM, seize EPERM, read EPERM, write EPERM, compare EPERM, take a descriptor EPERM, advise EPERM, robust list EPERM"), Bare("trace me ok, seize ok, read ok, write ok, compare ok, take a descriptor ok, advise EBADF, robust list ok")).star(),
    #[cfg(target_arch = "x86_64")]
    attack("K4", "int80_x32.c", "calls by a foreign ABI", Says("i386 getpid SIGSYS, i386 mkdir SIGSYS, x32 getpid SIGSYS, x32 execve SIGSYS, a number with a high bit ok, restart EINTR"), Bare("i386 getpid ok, i386 mkdir EFAULT, x32 getpid ENOSYS, x32 execve ENOSYS, a number with a high bit ok, restart EINTR")).star(),
    by("K5", "every system call number", &["[sweep] every system call number gets the verdict that is committed, and the others work as without a filter"]),
    by("K5", "the same under Strict", &["[sweep] under Strict every system call number gets the verdict that is committed, and the others work as without a filter"]),
    attack("K6", "modules_kexec.c", "code for the kernel, the machine's ports and swap", Says("init_module SIGSYS, finit_module SIGSYS, delete_module SIGSYS, kexec_load SIGSYS, kexec_file_load SIGSYS, reboot SIGSYS, iopl SIGSYS, ioperm SIGSYS, swapon SIGSYS, swapoff SIGSYS, acct EPERM, quotactl EPERM, syslog EPERM"), Bare("init_module ENOEXEC|ENOSYS, finit_module EBADF|ENOSYS, delete_module ENOENT|ENOSYS, kexec_load EINVAL|ENOSYS, kexec_file_load EINVAL|ENOSYS, reboot EINVAL, iopl EINVAL|ENOSYS, ioperm EINVAL|ENOSYS, swapon ENOENT, swapoff ENOENT, acct ENOENT, quotactl ENODEV, syslog ok")).star().on(Aarch64, "init_module SIGSYS, finit_module SIGSYS, delete_module SIGSYS, kexec_load SIGSYS, kexec_file_load SIGSYS, reboot SIGSYS, swapon SIGSYS, swapoff SIGSYS, acct EPERM, quotactl EPERM, syslog EPERM"),
    attack("K7", "ldt_personality.c", "old calls that weaken protection", Says("modify_ldt EPERM, READ_IMPLIES_EXEC EPERM, ADDR_NO_RANDOMIZE EPERM, asking for it ok, remap_file_pages EPERM, vmsplice EPERM, NUMA policy EPERM, a pipe's size EPERM"), Bare("modify_ldt ok, READ_IMPLIES_EXEC ok, ADDR_NO_RANDOMIZE ok, asking for it ok, remap_file_pages ok, vmsplice ok, NUMA policy ok, a pipe's size ok")).star().on(Aarch64, "READ_IMPLIES_EXEC EPERM, ADDR_NO_RANDOMIZE EPERM, asking for it ok, remap_file_pages EPERM, vmsplice EPERM, NUMA policy EPERM, a pipe's size EPERM"),
    attack("K8", "prctl_abuse.c", "what a process may set about itself", Says("memory map EPERM, seccomp off EPERM, dumpable EPERM, tracer EPERM, subreaper EPERM, keep capabilities EPERM, securebits EPERM, speculation EPERM, core scheduling EPERM, no write and execute EPERM, time stamp counter EPERM, name ok"), Bare("memory map EPERM|EINVAL, seccomp off EINVAL, dumpable ok, tracer ok|EINVAL, subreaper ok, keep capabilities ok, securebits ok, speculation ENXIO|EPERM|ERANGE, core scheduling ok|EINVAL|ENODEV, no write and execute ok|EINVAL, time stamp counter ok, name ok")).star(),
    attack("K9", "nested_sandbox.c", "a sandbox in the sandbox", Says("ruleset ENOSYS, rule ENOSYS, restrict ENOSYS, filter EPERM, listener EPERM, filter by prctl EPERM, still here ok"), Bare("ruleset ok, rule EBADF, restrict EBADF, filter ok, listener ok, filter by prctl ok, still here ok")).star(),
    attack("K10", "sigsys_catch.c", "catching the signal of the filter", Says("handled SIGSYS, ignored SIGSYS, blocked SIGSYS"), Bare("handled ok, ignored ok, blocked ok")).star(),
    // Resources.
    attack("R1", "fork_bomb.sh", "processes without end", Breaches(Breach::WallTime, ""), BareWith(&["7"], "more than 64 at once ok")).change(short).beside(),
    by("R1", "the number of processes and threads, to the unit", &["[processes] as many processes as the limit says, and not one more", "[processes] threads count as processes", "[processes] a fork bomb ends with its run and leaves the slot clean"]),
    attack("R2", "mem_private.c", "memory without end", RunsOut, Weaker(same, &["64"], "memory held")).with(&["65536"]).change(small_memory).beside(),
    attack("R3", "mem_shared.c", "buffers of pipes", RunsOut, Weaker(same, &["pipes", "64"], "memory held")).with(&["pipes", "64"]).change(small_memory).beside(),
    attack("R3", "mem_shared.c", "buffers of sockets", RunsOut, Weaker(same, &["sockets", "64"], "memory held")).with(&["sockets", "64"]).change(small_memory).beside(),
    by("R3", "shared mappings, memfds, files, System V memory, many processes", &["[memory] memory of every kind counts", "[memory] a run whose child is killed for memory is ended"]),
    attack("R4", "tmpfs_fill.sh", "bytes in every place", Says("/work ENOSPC, /tmp ENOSPC, /dev/shm ENOSPC"), Weaker(same, &[], "/work ok, /tmp ok, /dev/shm ok")).change(small_workspace).beside(),
    attack("R5", "inode_bomb.py", "files without content", Says("file ENOSPC, link ENOSPC, directory ENOSPC"), Weaker(same, &["6000"], "file ok, link ok, directory ok")).with(&["6000"]).change(small_workspace).beside(),
    attack("R6", "deep_tree.c", "directories without end", Says("depth ENOSPC, deeper than a path 1, name of it ERANGE"), Weaker(same, &["6000"], "depth reached, deeper than a path 1, name of it ERANGE")).with(&["500000"]).change(small_workspace).beside(),
    attack("R7", "fd_bomb.py", "descriptors of every kind", Says("open 61 EMFILE, dup 61 EMFILE, eventfd 61 EMFILE, epoll 61 EMFILE, pidfd 61 EMFILE, in flight 7 ETOOMANYREFS"), Weaker(same, &["500"], "open 500 ok, dup 500 ok, eventfd 500 ok, epoll 500 ok, pidfd 500 ok, in flight 50 ok")).with(&["500"]).change(few_descriptors).beside(),
    attack("R8", "output_flood.c", "output in large blocks", Breaches(Breach::Output, ""), Weaker(same, &["blocks", "4"], "4096 bytes")).with(&["blocks"]).change(little_output).beside(),
    attack("R8", "output_flood.c", "output in single bytes, one line", Breaches(Breach::Output, ""), Weaker(same, &["bytes", "4"], "4096 bytes")).with(&["bytes"]).change(little_output).beside(),
    attack("R9", "sparse_huge.c", "files larger than they are", Says("truncate SIGXFSZ, truncate, signal ignored EFBIG, write far away EFBIG, allocate EFBIG"), Weaker(large_files, &[], "truncate ok, truncate, signal ignored ok, write far away ok, allocate ENOSPC")).beside(),
    by("R9", "the same as an artifact", &["[collect] regular files below /work are collected, nothing else"]),
    attack("R10", "daemon_orphan.py", "a process that left session and streams", Says("main ends"), BareWith(&["watched"], "main ends, after it alive")).beside(),
    by("R10", "nothing of it is alive", &["[leftovers] daemons die with their run, also one that holds its output"]),
    attack("R11", "daemon_orphan.py", "a process that holds the output", Says("main ends"), BareWith(&["holds", "watched"], "main ends, after it alive")).with(&["holds"]).beside(),
    attack("R12", "sigstop_term.py", "processes that stop themselves and heed no signal", Breaches(Breach::WallTime, "after every polite signal alive"), BareWith(&[], "after every polite signal alive")).with(&["stay"]).change(longer).beside(),
    attack("R13", "zombie_storm.c", "children that nobody waits for", Says("zombies EAGAIN, orphans gone"), Bare("zombies ok, orphans gone")).with(&["500"]).change(usual).beside(),
    attack("R14", "cpu_spin_rt.c", "all of every CPU, ahead of others", Breaches(Breach::CpuTime, "SCHED_FIFO EPERM, SCHED_RR EPERM, nice EACCES, every CPU ok"), BareWith(&["ask"], "SCHED_FIFO ok|EPERM, SCHED_RR ok|EPERM, nice ok, every CPU ok")).change(little_cpu).beside(),
    by("R14", "no more than the CPUs it may use", &["[cpu] with cpus 1 several processes on all CPUs use no more than one", "[cpu] the CPU time of several processes counts together"]),
    attack("R15", "hugepages.c", "pages that no memory limit counts", Says("memfd EPERM, mount SIGSYS, System V EPERM, mapping ENOMEM"), Bare("memfd ok, mount ok, System V ENOMEM, mapping ENOMEM")).beside(),
    attack("R16", "mlock.c", "memory that may not be swapped", Says("all ENOMEM, a megabyte ENOMEM, a megabyte on fault ENOMEM, a page ok"), Bare("all ok, a megabyte ok, a megabyte on fault ok, a page ok")).beside(),
    attack("R17", "timers_signals.c", "timers and queued signals", Says("storm over, timers EAGAIN, signals EAGAIN"), Bare("storm over, timers ok, signals ok")).beside(),
    attack("R18", "inotify_epoll.c", "inotify instances and epoll chains", Says("instances EMFILE, a chain of eight ELOOP, a circle ELOOP"), BareWith(&["8"], "instances ok, a chain of eight ELOOP, a circle ELOOP")).with(&["2000"]).beside(),
    attack("R19", "futex_pi.c", "chains and lists of futexes", Says("chain ok, list ok, requeue to itself EINVAL, requeue EAGAIN"), Bare("chain ok, list ok, requeue to itself EINVAL, requeue EAGAIN")).beside(),
    attack("R20", "mq_shm_quota.c", "queues and System V objects", Says("POSIX queue EPERM, System V queue EPERM, memory ENOSPC, semaphores ok"), Bare("POSIX queue ok, System V queue ok, memory ENOSPC, semaphores ok")).beside(),
    attack("R21", "sync_storm.c", "flushing the node's disks", Says("sync EPERM, syncfs EPERM, fsync of an own file ok"), Bare("sync ok, syncfs ok, fsync of an own file ok")).beside(),
    attack("R22", "dentry_slab.c", "page tables without end", RunsOut, Weaker(same, &["tables", "20000"], "tables held")).with(&["tables", "200000"]).change(small_memory).beside(),
    attack("R22", "dentry_slab.c", "names that do not exist", Says("names asked for"), Without("the kernel takes such names back when memory is short: they are within the run's limit, and harmless there")).with(&["names", "200000"]).change(|program| usual(small_memory(program))).beside(),
    attack("R23", "exec_storm.py", "programs that execute each other without end", Breaches(Breach::CpuTime, "an argument of 128 KiB E2BIG, 10,000 variables ok, 4 MiB of arguments E2BIG, a chain of eight scripts ELOOP"), BareWith(&["3"], "an argument of 128 KiB E2BIG, 10,000 variables ok, 4 MiB of arguments E2BIG, a chain of eight scripts ELOOP, storm over")).with(&["-1"]).change(more_cpu).beside(),
    attack("R24", "sleeper.sh", "waiting without using anything", Breaches(Breach::WallTime, "asleep ok"), Weaker(same, &["0.1"], "asleep ok, awake ok")).with(&["1000"]).change(short).beside(),
    // Side channels: what is closed, and what is not (told).
    attack("S1", "timing_neighbour.c", "which pages others have used", Says("mincore EPERM, cachestat ENOSYS, performance counters EPERM"), Bare("mincore ok, cachestat ok|ENOSYS, performance counters EFAULT")).star(),
    attack("S2", "load_channel.py", "the load of the node", Says("/proc/loadavg ENOENT, /proc/pressure/cpu ENOENT, /proc/stat ENOENT, /proc/meminfo ENOENT, /proc/vmstat ENOENT, /proc/interrupts ENOENT, /proc/schedstat ENOENT, sysinfo, told ok, own tree only ok"), Bare("/proc/loadavg ok, /proc/pressure/cpu ok|ENOENT, /proc/stat ok, /proc/meminfo ok, /proc/vmstat ok, /proc/interrupts ok, /proc/schedstat ok|ENOENT, sysinfo, told ok, own tree only ok")),
    attack("S3", "cpuid_smt.c", "the CPU one shares", Says("time stamp counter, told ok, CPU number, told ok, core scheduling EPERM, shape of the machine ENOENT"), Bare("time stamp counter, told ok, CPU number, told ok, core scheduling ok|EINVAL|ENODEV, shape of the machine ok")).star(),
    attack("S4", "dmesg_inject.c", "lines forged in the kernel's log", Says("an odd name ok, /dev/kmsg ENOENT, read the log EPERM, audit EAFNOSUPPORT"), Bare("an odd name ok, /dev/kmsg ok, read the log ok, audit ok")).star(),
    // Output and artifacts.
    by("A1", "what a terminal would obey; its way into a status: visible.rs", &["[outputs] bytes that a terminal or a parser would obey arrive as they are"]),
    by("A2", "what YAML or JSON would take for more than text; its way into a status: visible.rs", &["[outputs] bytes that a terminal or a parser would obey arrive as they are"]),
    attack("A3", "fake_markers.py", "claims of another end", Exits(3, "exit code 0, {\"phase\":\"Succeeded\",\"exitCode\":0}, descriptors reached 0"), Bare("exit code 0, {\"phase\":\"Succeeded\",\"exitCode\":0}, descriptors reached 0")).with(&["3"]),
    by("A4", "artifacts of every type", &["[collect] regular files below /work are collected, nothing else"]),
    by("A5", "artifacts of odd names", &["[collect] regular files below /work are collected, nothing else"]),
    by("A6", "too many artifacts, too large ones", &["[collect] more outputs than a job may have are refused", "[collect] regular files below /work are collected, nothing else"]),
    by("A7", "an artifact that becomes a link", &["[outputs] an output that becomes a link in the same moment never leads outside"]),
    // Between jobs, by the user that they would share.
    by("V17", "keys", &["[corpus] N4 keys (keyring_cross.py)"]),
    pair("V18", "pipe_budget.py", "the budget of pipe buffers", ["", "bytes in a new pipe 65536"], ["", "bytes in a new pipe 8192"]),
    pair("V19", "process_budget.py", "the number of processes", ["55 processes ok", "55 processes ok"], ["55 processes ok", "55 processes EAGAIN"]),
    by("V20", "locks and events on shared files", &["[corpus] F7 locks on files of the image (lock_channel.py)", "[corpus] F8 events on files of the image (inotify_spy.py)"]),
    // What the seed let through.
    attack("B1", "kill_all.py", "killing parent and everybody", Says("parent EPERM, child SIGKILL, this one alive"), Bare("parent ok, child SIGKILL, this one alive")),
    by("B2", "limits of the supervisor", &["[corpus] E13* the first process of the run (init_attack.c)"]),
    by("B3", "UDP, abstract and other sockets", &["[corpus] W1* the network (net_none.c)", "[corpus] W3* every family and type of socket (raw_families.c)", "[namespaces] an abstract socket of the node is out of reach"]),
    by("B4", "raw sockets with flags in the type", &["[corpus] W3* every family and type of socket (raw_families.c)"]),
    by("B5", "files of a job at ../x and /x", &["[files] a path that is not clean is refused"]),
    attack("B6", "closed_streams.sh", "both streams closed, then waiting", Breaches(Breach::WallTime, "begun ok"), Weaker(same, &["both", "0.1"], "begun ok")).with(&["both", "1000"]).change(short).beside(),
    attack("B7", "closed_streams.sh", "one stream closed, then waiting", Breaches(Breach::WallTime, "begun ok"), Weaker(same, &["one", "0.1"], "begun ok")).with(&["one", "1000"]).change(short).beside(),
    attack("B8", "sleeper.sh", "a megabyte of input that is never read", Breaches(Breach::WallTime, "asleep ok"), Weaker(megabyte, &["0.1"], "asleep ok, awake ok")).with(&["1000"]).change(|program| short(megabyte(program))).beside(),
    by("B8", "the same, again and again", &["[streams] input that nobody reads is dropped"]),
    by("B9", "grandchildren at the end", &["[leftovers] daemons die with their run, also one that holds its output", "[leftovers] daemons die with their run at its wall limit, also one that holds its output", "[leftovers] a run that has stopped itself is ended at its wall limit"]),
    by("B10", "a flood of output beside other jobs", &["[corpus] R8 output in large blocks (output_flood.c blocks)"]),
    by("B11", "memory shared, and of many processes", &["[memory] memory of every kind counts"]),
    by("B12", "bytes and files without end", &["[corpus] R4 bytes in every place (tmpfs_fill.sh)", "[corpus] R5 files without content (inode_bomb.py 6000)"]),
    attack("B13", "closed_modes.py", "directories that nobody may enter", Says("enter EACCES"), Bare("enter ok")).beside(),
    by("B14", "the agent is killed", &["[deaths] of an agent killed in the middle of its runs nothing is left"]),
    by("B15", "hundreds of runs", &["[leak] 300 runs of every kind leave nothing behind"]),
    by("B16", "two hostile jobs at once", &["[pairs] two hostile jobs at once are each judged right"]),
    by("B17", "the node in /proc", &["[corpus] P1* what /proc tells about the node (proc_secrets.c)"]),
    by("B18", "all of this under an agent that is root", &["[identity] ids, groups, capabilities, filters and no_new_privs are as planned"]),
    by("B19", "no Landlock, no cgroup; each ABI against a fake: unit tests of lockdown", &["[refusal] a higher Landlock ABI than the kernel's is refused by number", "[refusal] cgroup v1 is refused unless it is allowed"]),
    by("B20", "every system call number", &["[sweep] every system call number gets the verdict that is committed, and the others work as without a filter"]),
    #[cfg(target_arch = "x86_64")]
    by("B21", "foreign ABIs", &["[corpus] K4* calls by a foreign ABI (int80_x32.c)"]),
    attack("B22", "honest.sh", "programs that must work", Says("umask ok, touch ok, list ok, copy ok, tar ok, extract ok, timeout ok, nice ok, setsid ok, mkfifo ok, chmod ok, python ok"), Bare("umask ok, touch ok, list ok, copy ok, tar ok, extract ok, timeout ok, nice ok, setsid ok, mkfifo ok, chmod ok, python ok")),
];
