print "alpha 1.5\r\nbeta 2.5\r\n";
