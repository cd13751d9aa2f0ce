binmode STDIN;
binmode STDOUT;
while (<STDIN>) { tr/a-z/A-Z/; print }
