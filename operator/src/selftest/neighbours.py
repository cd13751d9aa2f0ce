# Looks for other processes: to see them, to signal them, to talk to them.
import os
import signal
import socket

own = os.getpid()
escapes = []
seen = [int(name) for name in os.listdir("/proc") if name.isdigit()]
for pid in seen:
    if pid in (1, own):
        continue
    escapes.append(f"sees process {pid}")
for pid in range(1, 32768):
    if pid == own:
        continue
    try:
        os.kill(pid, signal.SIGKILL)
        if pid != 1:
            escapes.append(f"killed {pid}")
    except OSError:
        pass
for name in ["\0/containerd", "\0/evaljob", "\0spawner"]:
    try:
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect(name)
        escapes.append(f"connected to {name!r}")
    except OSError:
        pass
print("; ".join(escapes) or "contained")
