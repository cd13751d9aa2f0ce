"""V18: pipe buffers, which the kernel counts by user: who has used up the budget leaves tiny ones. Source: pipe(7).

In the control both programs are one user.
"""
from attempt import *

if os.getuid() == 0:
    os.setuid(one_user())
if sys.argv[1] == "first":
    pipes, (done, tell_done) = [], os.pipe()
    for _ in range(4):
        if os.fork() == 0:
            for _ in range(400):
                pipes.append(os.pipe())
            os.write(tell_done, b"x")
            time.sleep(1000)
    for _ in range(4):
        os.read(done, 1)
    watch()
read, write = os.pipe()
tell("bytes in a new pipe", fcntl.fcntl(write, 1032))
