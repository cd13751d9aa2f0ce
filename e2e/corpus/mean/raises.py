import sys
numbers = [*map(float, sys.stdin.read().split())]
print(sum(numbers) / len(numbers))
