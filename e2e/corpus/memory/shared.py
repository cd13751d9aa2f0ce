import mmap
block = mmap.mmap(-1, 48 << 20)  # shared memory
for at in range(0, len(block), 4096):
    block[at] = 1
print("done")
