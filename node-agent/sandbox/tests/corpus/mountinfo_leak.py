"""P4: paths of the node, and of other jobs' images, in one's own mount table. Source: proc(5), mountinfo."""
from attempt import *

text = open("/proc/self/mountinfo").read()
for word in sys.argv[1:]:
    tell(word, "named" if word in text else "not named")
tell("points", sum(line.split()[4].startswith(("/sys", "/var", "/root", "/run", "/.p")) for line in text.splitlines()) > 0)
