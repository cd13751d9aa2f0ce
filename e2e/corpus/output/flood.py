while True:
    print("done")
