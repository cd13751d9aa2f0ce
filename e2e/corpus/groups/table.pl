my @table = (0, 1);
push @table, $table[-1] + $table[-2] while @table < 30;
my $n = <STDIN>;
die "too large\n" if $n >= @table;
print "$table[$n]\n";
