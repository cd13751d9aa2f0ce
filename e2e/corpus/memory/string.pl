my $text = "x" x 1000;
$text .= $text while 1;
