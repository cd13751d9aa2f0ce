tail -n +2 | LC_ALL=C sort
