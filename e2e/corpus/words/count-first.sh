tr -s '[:space:]' '\n' | grep . | sort | uniq -c
