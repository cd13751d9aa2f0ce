my @numbers = map { split } <STDIN>;
my $sum = 0;
$sum += $_ for @numbers;
printf "%.5f\n", $sum / @numbers;
