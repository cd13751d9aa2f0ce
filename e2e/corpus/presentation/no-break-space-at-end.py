print("alpha 1.5\u00a0\nbeta 2.5")
