"""R7: descriptors of every kind, and descriptors that are in flight only. Source: getrlimit(2), unix(7).

    fd_bomb MOST
"""
from attempt import *
import select

most = int(sys.argv[1])
kept = []


def kind(name, make):
    count(name, lambda: kept.append(make()), most)
    for fd in kept:
        os.close(fd)
    kept.clear()


kind("open", lambda: os.open("/dev/null", os.O_RDONLY))
kind("dup", lambda: os.dup(0))
kind("eventfd", lambda: raw(290, 0, 0))
kind("epoll", lambda: raw(291, 0))
kind("pidfd", lambda: os.pidfd_open(os.getpid()))
one, two = socket.socketpair()
one.setblocking(False)
count("in flight", lambda: socket.send_fds(one, [b"x"], [0] * 10), most // 10)
