import os
import signal
children = []
try:
    while True:
        children.append(os.fork())
        if children[-1] == 0:
            signal.pause()
except BlockingIOError:
    pass  # as many as there can be
for child in children:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
print("done")
