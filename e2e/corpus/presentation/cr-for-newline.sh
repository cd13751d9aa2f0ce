printf 'alpha 1.5\rbeta 2.5\r'
