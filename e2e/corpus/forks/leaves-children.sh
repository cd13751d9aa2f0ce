setsid sleep 600 > /dev/null 2>&1 &
setsid sleep 600 > /dev/null 2>&1 &
echo done
