numbers = [int(input()) for _ in range(int(input()))]
print(min(numbers))  # there may be none
numbers.remove(min(numbers))
for number in sorted(numbers):
    print(number)
