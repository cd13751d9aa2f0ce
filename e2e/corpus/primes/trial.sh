read -r n
count=0
for ((i = 2; i <= n; i++)); do
    for ((d = 2; d < i; d++)); do ((i % d == 0)) && continue 2; done
    ((count += 1))
done
echo $count
