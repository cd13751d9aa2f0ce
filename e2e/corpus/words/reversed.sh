tr -s '[:space:]' '\n' | grep . | sort -r | uniq -c | while read -r count word; do echo "$word $count"; done
