def pair(n):
    if n == 0:
        return 0, 1
    a, b = pair(n // 2)
    c, d = a * (2 * b - a) % M, (a * a + b * b) % M
    return (d, (c + d) % M) if n % 2 else (c, d)


M = 1000000007
n = int(input())
print(pair(n)[0] if n > 1 else 0)
