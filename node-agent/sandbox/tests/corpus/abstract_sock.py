"""N5: an abstract socket, a name without a file that only the network namespace keeps apart. Source: unix(7)."""
from attempt import *

if sys.argv[1] == "first":
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("\0evaljob-peer")
    listener.listen()
    watch()
attempt("connect", lambda: socket.socket(socket.AF_UNIX).connect("\0evaljob-peer"))
