import sys
import time
while time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID) * 1000 < int(sys.argv[1]):
    pass
print("done")
