for n in 1 2; do head -c 3M /dev/zero > file$n || exit; done
echo done
