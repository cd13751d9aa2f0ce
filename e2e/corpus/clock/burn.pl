my ($user, $system);
do { ($user, $system) = times } while ($user + $system) * 1000 < $ARGV[0];
print "done\n";
