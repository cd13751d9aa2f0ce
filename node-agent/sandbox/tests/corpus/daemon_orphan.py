"""R10, R11: a process that has left its parent, its session and its streams, and one that keeps the streams.
Source: daemon(3).

    daemon_orphan [holds] [watched]    holds: the output stays open in it; watched: says whether it outlives its parent
"""
from attempt import *



def main():
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            if "holds" not in sys.argv:
                for fd in (0, 1, 2):
                    os.close(fd)
            os.write(write, b"x")
            time.sleep(1000)
        os._exit(0)
    os.wait()
    os.read(read, 1)  # the daemon lives
    tell("main", "ends")


if "watched" in sys.argv:
    in_child(main)
    own = str(os.getpid())
    others = [name for name in os.listdir("/proc") if name.isdigit() and name != own]
    tell("after it", "alive" if others else "nobody")
    for name in others:
        os.kill(int(name), signal.SIGKILL)
else:
    main()
