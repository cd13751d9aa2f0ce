my ($first, $second) = split " ", <STDIN>;
kill "INT", $$ if $second == 0;
print int($first / $second), "\n";
