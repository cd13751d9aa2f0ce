sleep 600 &
wait
echo done
