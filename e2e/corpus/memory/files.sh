head -c 48M /dev/zero > /tmp/block && echo done
