while (<STDIN>) { chomp; tr/a-z/A-Z/; print "$_\n" }
