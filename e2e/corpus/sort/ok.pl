my ($n, @numbers) = <STDIN>;
print sort { $a <=> $b } @numbers;
