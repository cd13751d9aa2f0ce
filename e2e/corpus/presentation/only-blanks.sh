printf ' \n\n '
