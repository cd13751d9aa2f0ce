# R1: processes that make processes. Source: fork(2).
#
#   fork_bomb.sh [GENERATIONS]      so many only, and says when there are more than a run may have; without: for ever
if [ -n "$1" ]; then
    grow() {
        [ "$1" -eq 0 ] && exec sleep 1000
        grow $(($1 - 1)) &
        grow $(($1 - 1))
    }
    grow "$1" &
    until set -- /proc/[0-9]*; [ $# -gt 64 ]; do sleep 0.02; done
    echo "more than 64 at once ok"
    exit 0
fi
bomb() { bomb | bomb & }
(bomb) 2>/dev/null &
wait
exec sleep 1000 # which needs no process more
