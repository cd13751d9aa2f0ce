print("alpha 1.5\nbeta 2.5\u200b")
