print(*sorted(int(input()) for _ in range(int(input()))))
