"""V18: pipe buffers, which the kernel counts by user: who has used up the budget leaves tiny ones. Source: pipe(7).

In the control both programs are one user.
"""
from attempt import *

if os.getuid() == 0:
    os.setuid(one_user())
if sys.argv[1] == "first":
    pipes = []
    for _ in range(4):
        if os.fork() == 0:
            for _ in range(400):
                pipes.append(os.pipe())
            time.sleep(1000)
    time.sleep(0.3)
    watch()
read, write = os.pipe()
tell("bytes in a new pipe", fcntl.fcntl(write, 1032))
