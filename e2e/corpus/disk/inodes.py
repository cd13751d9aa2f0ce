for number in range(10_000_000):
    open(str(number), "w").close()
print("done")
