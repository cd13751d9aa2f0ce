"""V19: processes, which the limit counts by user. Source: getrlimit(2), RLIMIT_NPROC.

In the control both programs are one user, with the limit that a run has.
"""
from attempt import *

if os.getuid() == 0:
    resource.setrlimit(resource.RLIMIT_NPROC, (80, 80))
    os.setuid(one_user())
children = []


def fork():
    child = os.fork()
    if child == 0:
        time.sleep(1000)
    children.append(child)


attempt("55 processes", lambda: [fork() for _ in range(55)])
if sys.argv[1] == "first":
    watch()
for child in children:
    os.kill(child, signal.SIGKILL)
