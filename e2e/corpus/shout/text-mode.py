for line in open(0):  # universal newlines lose CR
    print(line.translate({c: c - 32 for c in range(97, 123)}), end="")
