print "done\n" while 1;
