set -- $(tr -d -)
echo $(($1 + $2))
