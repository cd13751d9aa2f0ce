import sys
numbers = [*map(float, sys.stdin.read().split())]
print(str(sum(numbers) / len(numbers)).replace(".", ","))
