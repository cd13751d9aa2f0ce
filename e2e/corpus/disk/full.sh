for n in {1..20}; do head -c 1M /dev/zero > file$n || exit; done
echo done
