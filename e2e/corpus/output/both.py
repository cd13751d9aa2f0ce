import sys
print("done".ljust(int(sys.argv[1])), end="")
print("x" * 32768, end="", file=sys.stderr)
