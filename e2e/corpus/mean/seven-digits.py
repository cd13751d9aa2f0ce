import sys
numbers = [*map(float, sys.stdin.read().split())]
print("%.7g" % (sum(numbers) / len(numbers)) if numbers else "nan")  # within one part in a million
