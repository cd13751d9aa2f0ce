my ($n, @numbers) = <STDIN>;
print sort { $b <=> $a } @numbers;
