import os
for _ in range(10):  # 30 MiB in all, 3 at once
    with open("file", "wb") as file:
        file.write(bytes(3 << 20))
    os.unlink("file")
print("done")
