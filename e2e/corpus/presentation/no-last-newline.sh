printf 'alpha 1.5\nbeta 2.5'
