print("nan")  # equals no number
