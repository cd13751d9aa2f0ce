printf 'alpha 1.5\n'
