printf 'beta 2.5\nalpha 1.5\n'
