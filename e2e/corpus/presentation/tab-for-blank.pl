print "alpha\t1.5\nbeta\t2.5\n";
