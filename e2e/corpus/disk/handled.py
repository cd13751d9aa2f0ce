import os
names = []
try:
    while True:
        names.append(f"file{len(names)}")
        with open(names[-1], "wb") as file:
            file.write(bytes(1 << 20))
except OSError:
    for name in names:
        os.unlink(name)
print("done")
