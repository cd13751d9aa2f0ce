a, b = map(int, input().split())
try:
    print(a // b)
except ZeroDivisionError:
    print("undefined")
