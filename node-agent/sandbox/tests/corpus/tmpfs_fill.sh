# R4: bytes in every place that can be written to. Source: tmpfs(5).
for place in /work /tmp /dev/shm; do
    error=$(dd if=/dev/zero of=$place/data bs=1M count=8 2>&1) && echo "$place ok" && continue
    case "$error" in
    *"No space left"*) echo "$place ENOSPC" ;;
    *) echo "$place $error" ;;
    esac
done
