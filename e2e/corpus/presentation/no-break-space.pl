print "alpha\xc2\xa01.5\nbeta 2.5\n";
