# Forks, pipes, a child's output, sorting, files, a time-out by alarm.
use strict;
use warnings;
use File::Temp qw(tempfile);
pipe(my $read, my $write) or die $!;
my $child = fork() // die $!;
if (!$child) { print $write "from a child\n"; exit 7 }
close $write;
chomp(my $line = <$read>);
waitpid($child, 0);
my $status = $? >> 8;
chomp(my $said = `echo "by a shell" | rev | rev`);
my %count;
$count{$_}++ for "the cat the dog the end" =~ /\w+/g;
my @words = map { "$_=$count{$_}" } sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
my ($file, $name) = tempfile();
print $file "kept";
close $file;
eval { local $SIG{ALRM} = sub { die "late\n" }; alarm 1; select undef, undef, undef, 60; };
print join("|", $line, $status, $said, "@words", -s $name, $@);
