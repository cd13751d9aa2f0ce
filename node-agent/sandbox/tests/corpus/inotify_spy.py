"""F8: events on programs of the image while another job uses them. Source: inotify(7), fanotify(7)."""
from attempt import *

if sys.argv[1] == "first":
    watched = C.inotify_init1(os.O_NONBLOCK)
    C.inotify_add_watch(watched, b"/usr/bin/env", 0xfff) != -1 or tell("watch", "refused")
    attempt("fanotify", lambda: raw(300, 0, 0))

    def look():
        try:
            if os.read(watched, 4096):
                tell("event", "seen")
        except BlockingIOError:
            pass

    watch(look)
open("/usr/bin/env", "rb").read()
tell("read", "ok")
