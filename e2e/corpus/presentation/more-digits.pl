print "alpha 1.500\nbeta 2.5000000001\n";
