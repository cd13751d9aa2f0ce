# B6, B7: closing the streams that a parent waits for, and staying. Source: the seed waited for the process without a
# deadline once they were closed.
#
#   closed_streams.sh both|one SECONDS
echo "begun ok"
case "$1" in
both) exec >&- 2>&- ;;
one) exec >&- ;;
esac
sleep "$2"
