no warnings;
sub deep { my $n = shift; return $n ? 1 + deep($n - 1) : 0 }
deep(1_000_000);
print "done\n";
