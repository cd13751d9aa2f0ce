"""W5: sockets of the node's daemons by path, and descriptors handed to a process of the run. Source: unix(7).

    unix_host PATH      PATH: a place of the node; who sees it listens there first
"""
from attempt import *

listener = socket.socket(socket.AF_UNIX)
for path in sys.argv[1:]:
    if os.path.isdir(os.path.dirname(path)):  # of the node: only the control sees it
        listener.bind(path)
        listener.listen()
    attempt("a socket of the node", lambda: socket.socket(socket.AF_UNIX).connect(path))
for name in ("containerd/containerd.sock", "docker.sock", "dbus/system_bus_socket"):
    attempt(name, lambda: socket.socket(socket.AF_UNIX).connect("/run/" + name))
one, two = socket.socketpair()
attempt("a descriptor", lambda: [socket.send_fds(one, [b"x"], [0]), socket.recv_fds(two, 1, 1)])
attempt("as another", lambda: one.sendmsg([b"x"], [(socket.SOL_SOCKET, 2, struct.pack("iii", 1, os.getuid(), os.getgid()))]))
