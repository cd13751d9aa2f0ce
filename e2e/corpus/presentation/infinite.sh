printf 'alpha inf\nbeta -inf\n'
