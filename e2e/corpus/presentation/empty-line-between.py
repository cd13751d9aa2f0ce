print('alpha 1.5', 'beta 2.5', sep='\n\n')
