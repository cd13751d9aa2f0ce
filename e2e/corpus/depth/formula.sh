read -r n
echo $((n * (n + 1) / 2))
