print("alpha 15e-1\nbeta 0.25E+01")
