import sys
numbers = [*map(float, sys.stdin.read().split())]
print(sum(numbers) / len(numbers) if numbers else 0)
