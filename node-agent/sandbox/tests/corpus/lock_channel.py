"""F7: locks on files of the image that two jobs can see. Source: flock(2), fcntl(2); isolate 2.4."""
from attempt import *

PATH = "/usr/bin/env"


def leases(file):
    attempt("lease", lambda: fcntl.fcntl(file, 1024, fcntl.F_RDLCK))
    attempt("notify", lambda: fcntl.fcntl(os.open("/usr/bin", os.O_RDONLY), 1026, 8))  # DN_DELETE: no signal comes of it


file = open(PATH)
if sys.argv[1] == "first":
    leases(file)
    fcntl.flock(file, fcntl.LOCK_EX)
    watch()
attempt("flock", lambda: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB))
