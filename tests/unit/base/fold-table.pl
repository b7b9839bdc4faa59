#!/usr/bin/perl
# Every character that folds, as perl's Unicode data has it: "FROM TO" in hexadecimal, a line each; before that the version.
use strict;
use warnings;
use Unicode::UCD qw(all_casefolds);

print Unicode::UCD::UnicodeVersion(), "\n";
my $folds = all_casefolds();
for my $from (sort { $a <=> $b } keys %$folds) {
	my $to = $folds->{$from}{simple};
	printf "%x %x\n", $from, hex $to if $to ne '' && hex $to != $from;
}
