a, b = map(int, input().split())  # the numbers may stand on two lines
print(a + b)
