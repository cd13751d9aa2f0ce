read -r a b
if ((b == 0)); then echo undefined; else echo $((a / b)); fi
