my @numbers = map { split } <STDIN>;
my $sum = 0;
$sum += $_ for @numbers;
print @numbers ? $sum / @numbers : "NaN", "\n";
