n, a, b = int(input()), 0, 1
for _ in range(min(n, 1000)):
    a, b = b, a + b
print(a)
