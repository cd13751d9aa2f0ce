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
]:
    try:
        open(path, "w").write("1")
        escapes.append("wrote " + path)
    except OSError:
        pass
print("; ".join(escapes) or "contained")
