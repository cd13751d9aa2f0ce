import sys
numbers = [*map(float, sys.stdin.read().split())]
print("%.12e" % (sum(numbers) / len(numbers)) if numbers else "+NAN")
