yes done
