my %counts;
$counts{$_}++ for map { split } <STDIN>;
print "$_ $counts{$_}\r\n" for sort keys %counts;
