my ($first, $second) = split " ", join "", <STDIN>;
print $first + $second, "\n";
