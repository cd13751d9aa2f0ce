for number in sorted(int(input()) for _ in range(int(input()))):
    print(number)
