my $sum = 1 + ;
print $sum;
