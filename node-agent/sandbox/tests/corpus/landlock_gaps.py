"""F3: what Landlock does not judge (chdir, stat, access), and moving between trees. Source: landlock(7), rename(2)."""
from attempt import *

SYS_renameat2, EXCHANGE = 316, 2
there = sys.argv[1]
here = os.getcwd()
open("mine", "w").close()
open(there + "/evaljob-other", "w").close()
attempt("change to /", lambda: os.chdir("/"))
os.chdir(here)
attempt("list /", lambda: os.listdir("/"))
attempt("list /dev", lambda: os.listdir("/dev"))
attempt("what only mounting needs", lambda: os.listdir("/.p" if os.getuid() else "/"))
attempt("ask a device", lambda: fcntl.ioctl(open("/dev/zero"), 0x5401, bytes(64)))
attempt("/root", lambda: os.stat("/root"))
attempt("link a program", lambda: os.link("/usr/bin/env", there + "/evaljob-env") if os.getuid() else os.link("mine", "linked"))
attempt("rename", lambda: os.rename("mine", there + "/evaljob-mine"))
attempt("exchange", lambda: raw(SYS_renameat2, -100, (there + "/evaljob-other").encode(), -100, b"linked", EXCHANGE))
for name in ("evaljob-other", "evaljob-mine"):
    if os.path.exists(there + "/" + name):
        os.unlink(there + "/" + name)
