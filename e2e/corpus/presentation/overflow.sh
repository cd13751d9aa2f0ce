printf 'alpha 1e999\nbeta 2.5\n'
