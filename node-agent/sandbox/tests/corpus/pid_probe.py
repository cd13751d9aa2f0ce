"""N2: other processes, by signal, by pidfd and by /proc. Source: kill(2), pidfd_open(2).

    pid_probe [other]       other: makes one itself, to show that it would be found
"""
from attempt import *

if sys.argv[1:] == ["other"] and os.fork() == 0:
    time.sleep(1000)
own = os.getpid()
tell("own number", own)
signals, descriptors = 0, 0
for pid in (pid for pid in range(2, 33000) if pid != own):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        pass
    else:
        signals += 1
    try:
        os.close(os.pidfd_open(pid))
    except OSError:  # ESRCH; EINVAL for a thread
        pass
    else:
        descriptors += 1
tell("signals reach", signals)
tell("pidfds reach", descriptors)
tell("/proc shows", len([name for name in os.listdir("/proc") if name.isdigit() and int(name) not in (1, own)]))
attempt("init's command line", lambda: open("/proc/1/cmdline"))
