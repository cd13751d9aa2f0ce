import os
block = None
child = os.fork()
block = bytearray(b"x") * (20 << 20)  # each of the two below the limit, both together above it
if child:
    os.wait()
    print("done")
else:
    import time
    time.sleep(600)
