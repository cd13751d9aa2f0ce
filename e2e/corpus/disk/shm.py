for number in range(20):
    with open(f"/dev/shm/file{number}", "wb") as file:
        file.write(bytes(1 << 20))
print("done")
