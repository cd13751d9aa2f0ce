for (1 .. 50) {
    my $child = fork;
    die "fork: $!" unless defined $child;
    sleep 600 if $child == 0;
}
print "done\n";
