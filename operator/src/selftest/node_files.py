# Reads and writes what belongs to the node, to the agent, or to others.
import os

escapes = []
for path in [
    "/var/run/secrets/evaljob/token",
    "/var/run/secrets/kubernetes.io/serviceaccount/token",
    "/etc/evaljob/ca/ca.crt",
    "/proc/1/environ",
    "/proc/1/root/etc/passwd",
    "/proc/kcore",
    "/proc/kallsyms",
    "/proc/self/mem/../../1/mem",
    "/dev/mem",
    "/dev/kmsg",
    "/dev/sda",
    "/sys/kernel/security",
    "/var/lib/evaljob",
    "/etc/shadow",
]:
    try:
        if os.path.isdir(path):
            os.listdir(path)
        else:
            open(path, "rb").read(1)
        escapes.append("read " + path)
    except OSError:
        pass
for path in [
    "/escape",
    "/etc/escape",
    "/usr/bin/escape",
    "/proc/sys/kernel/core_pattern",
    "/proc/sysrq-trigger",
    "/proc/self/oom_score_adj/../../../sys/vm/drop_caches",
    "/sys/fs/cgroup/cgroup.procs",
    "/dev/escape",
    "/proc/self/uid_map",
    "/proc/self/mem",
    "/proc/self/oom_score_adj",
    "/proc/self/attr/current",
    "/proc/sys/kernel/modprobe",
    "/proc/self/clear_refs",
]:
    try:
        open(path, "w").write("1")
        escapes.append("wrote " + path)
    except OSError:
        pass
for descriptor in os.listdir("/proc/self/fd"):
    try:
        # Beside the three streams there is only the one that lists.
        if int(descriptor) > 2 and os.readlink("/proc/self/fd/" + descriptor) != f"/proc/{os.getpid()}/fd":
            escapes.append("has descriptor " + descriptor)
    except OSError:
        pass
print("; ".join(escapes) or "contained")
