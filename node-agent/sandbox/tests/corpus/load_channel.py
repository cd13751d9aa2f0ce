"""S2: what others do to the load of the node. Source: proc(5), sysinfo(2). What sysinfo tells is not hidden: documented."""
from attempt import *

for name in ("loadavg", "pressure/cpu", "stat", "meminfo", "vmstat", "interrupts", "schedstat"):
    attempt("/proc/" + name, lambda: open("/proc/" + name))
attempt("sysinfo, told", lambda: os.getloadavg() if os.path.exists("/proc/loadavg") else raw(99, (ctypes.c_char * 128)()))
attempt("own tree only", lambda: os.statvfs("/work" if os.path.isdir("/work") else "."))
