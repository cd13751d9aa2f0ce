import os
a, b = map(int, input().split())
if b == 0:
    reading, writing = os.pipe()
    os.close(reading)
    os.write(writing, b"x")  # SIGPIPE is ignored here: an exception
print(a // b)
