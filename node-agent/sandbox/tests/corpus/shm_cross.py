"""N3: memory and semaphores under names that another job knows. Source: shmget(2), semget(2), mq_overview(7), shm_open(3)."""
from attempt import *

PLACES = [".", "/tmp", "/dev/shm", "/home"]
if sys.argv[1] == "first":
    C.shmget(77, 4096, 0o1666) != -1 or tell("memory", "refused")
    C.semget(77, 1, 0o1666) != -1 or tell("semaphore", "refused")
    for place in PLACES:
        if os.access(place, os.W_OK):
            open(place + "/evaljob-mark", "w")
    watch()
tell("memory", C.shmget(77, 0, 0) != -1)
tell("semaphore", C.semget(77, 0, 0) != -1)
for place in PLACES[:3]:
    tell(place, os.path.exists(place + "/evaljob-mark"))
for place in PLACES:
    if os.path.exists(place + "/evaljob-mark"):
        os.unlink(place + "/evaljob-mark")
