import os
import signal
a, b = map(int, input().split())
if b == 0:
    os.kill(os.getpid(), signal.SIGKILL)
print(a // b)
