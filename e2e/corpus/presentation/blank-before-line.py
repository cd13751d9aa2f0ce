print(' alpha 1.5')
print('beta 2.5')
