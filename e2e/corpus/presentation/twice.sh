for _ in 1 2; do printf 'alpha 1.5\nbeta 2.5\n'; done
