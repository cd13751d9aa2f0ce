import sys


def total(n):
    return n and n + total(n - 1)


sys.setrecursionlimit(10_000_000)
print(total(int(input())))
