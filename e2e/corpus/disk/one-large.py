with open("file", "wb") as file:  # SIGXFSZ is ignored here: EFBIG, an exception
    for _ in range(6):
        file.write(bytes(1 << 20))
print("done")
