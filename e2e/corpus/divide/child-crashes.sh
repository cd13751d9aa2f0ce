read -r a b
(kill -SEGV $BASHPID)
if ((b == 0)); then echo undefined; else echo $((a / b)); fi
