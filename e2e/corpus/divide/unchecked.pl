my ($first, $second) = split " ", <STDIN>;
print int($first / $second), "\n";
