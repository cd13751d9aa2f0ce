# R1: processes that make processes. Source: fork(2).
#
#   fork_bomb.sh [GENERATIONS]      so many only, and says how many there are; without: for ever
if [ -n "$1" ]; then
    grow() { [ "$1" -eq 0 ] || { grow $(($1 - 1)) & grow $(($1 - 1)); }; [ "$1" -ne 0 ] || sleep 1; }
    grow "$1" &
    sleep 0.5
    alive=0
    for process in /proc/[0-9]*; do alive=$((alive + 1)); done
    [ "$alive" -gt 64 ] && echo "more than 64 at once ok"
    wait
    exit 0
fi
bomb() { bomb | bomb & }
(bomb) 2>/dev/null &
wait
exec sleep 1000 # which needs no process more
