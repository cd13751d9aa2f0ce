my $n = <STDIN>;
print $n - 2, " 1 1\n";
