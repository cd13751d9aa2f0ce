"""N4: a key that another job finds, since the kernel keeps keys by user, not by namespace. Source: keyrings(7); isolate 2.4.

In the control both programs are in one session, made for them, whose keyring they share.
"""
from attempt import *

ADD, REQUEST, SESSION, USER = 248, 249, -3, -4


def end(body):
    status = in_child(body)
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "done"


if sys.argv[1] == "first":
    tell("add", end(lambda: raw(ADD, b"user", b"evaljob", b"secret", 6, SESSION)))
    if os.getuid():
        tell("add for the user", end(lambda: raw(ADD, b"user", b"evaljob", b"secret", 6, USER)))
    watch()
tell("find", end(lambda: raw(REQUEST, b"user", b"evaljob", 0, 0)))
