for my $n (1 .. 20) {
    open my $file, ">", "/tmp/file$n" or die $!;
    print $file "x" x (1 << 20) or die $!;
    close $file or die $!;
}
print "done\n";
