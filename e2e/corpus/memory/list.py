kept = []
while True:
    kept.append(str(len(kept)) * 1000)
