printf 'alpha 1.5\nbeta\xff 2.5\n'
