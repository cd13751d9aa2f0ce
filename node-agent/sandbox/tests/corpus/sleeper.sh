# R24: waiting, with no CPU time used and with alarms that come to nothing. Source: sleep(1), alarm(2).
#
#   sleeper.sh SECONDS
trap '' ALRM TERM HUP INT
echo "asleep ok"
sleep "$1"
echo "awake ok"
