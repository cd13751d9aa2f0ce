sleep 600;
print "done\n";
