tail -n +2 | sort -n
