printf '\xef\xbb\xbfalpha 1.5\nbeta 2.5\n'
