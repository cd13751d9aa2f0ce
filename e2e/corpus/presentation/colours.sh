printf '\e[1malpha\e[0m 1.5\nbeta 2.5\n'
