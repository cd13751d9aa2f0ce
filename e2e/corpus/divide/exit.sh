read -r a b
((b == 0)) && exit "$1"
echo $((a / b))
