import os
a, b = map(int, input().split())
if b == 0:
    os.abort()
print(a // b)
