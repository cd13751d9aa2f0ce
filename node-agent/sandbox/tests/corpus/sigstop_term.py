"""R12: processes that stop themselves, and that heed no signal which can be handled. Source: signal(7)."""
from attempt import *

for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGALRM):
    os.kill(os.getpid(), number)
tell("after every polite signal", "alive")
if "stay" in sys.argv:
    if os.fork() == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
    os.kill(0, signal.SIGSTOP)
