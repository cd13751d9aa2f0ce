my $n = <STDIN>;
print $n < 2 ? 0 : 1 + int(($n - 1) / 2), "\n";    # odd numbers are not all primes
