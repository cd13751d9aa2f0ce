import os
import signal
import time
a, b = map(int, input().split())
if b == 0:
    if os.fork() == 0:
        os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)
print(a // b)
