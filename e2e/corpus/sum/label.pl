my ($first, $second) = split " ", join "", <STDIN>;
print "sum: ", $first + $second, "\n";
