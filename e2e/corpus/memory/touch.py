import sys
block = bytearray(b"x") * (int(sys.argv[1]) << 20)
print("done")
