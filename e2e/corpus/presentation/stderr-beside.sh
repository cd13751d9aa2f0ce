echo warning >&2
printf 'alpha 1.5\nbeta 2.5\n'
echo done >&2
