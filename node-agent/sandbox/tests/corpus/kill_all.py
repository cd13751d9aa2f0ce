"""B1: killing the parent, the group, and everybody. Source: kill(2).

In the control the first process of the namespace is this one, which neither signal reaches.
"""
from attempt import *

attempt("parent", lambda: os.kill(os.getppid() or os.getpid(), 0))
child = os.fork()
if child == 0:
    time.sleep(1000)
os.kill(-1, signal.SIGKILL)
tell("child", signal.Signals(os.WTERMSIG(os.waitpid(child, 0)[1])).name)
tell("this one", "alive")
