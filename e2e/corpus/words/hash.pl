my %counts;
$counts{$_}++ for map { split } <STDIN>;
print "$_ $counts{$_}\n" for keys %counts;    # another order in each run
