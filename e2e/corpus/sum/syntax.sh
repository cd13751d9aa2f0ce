set -- $(cat)
if true
