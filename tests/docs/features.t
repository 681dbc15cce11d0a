#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
#
# The table of features in docs/venet.md names for each the test that proves it and
# words of the line that says so.  Have the tests, when they ran last, said so, and
# has none of these lines failed?  Leaves build/tests/features.md: what was seen.
#
# Words may have shell variables, as in the source of the test: any value will do.
# A row that begins with "..." goes on with the feature above.

use strict;
use warnings;

use Cwd 'abs_path';
use File::Basename 'dirname';

chdir dirname(dirname(dirname(abs_path($0)))) or die "features.t: $!\n";

my ($n, $failed) = (0, 0);

sub result
{
	my ($good, $name) = @_;
	printf "%sok %d - %s\n", $good ? '' : 'not ', ++$n, $name =~ s/#/No./gr;
	$failed ||= !$good;
}

# Rows of the table: [feature, test, words...]
sub rows
{
	my ($in, @rows) = (0);
	open my $doc, '<', 'docs/venet.md' or die "docs/venet.md: $!\n";
	while (<$doc>) {
		$in = 1, next if /^\| feature \| test \|/;
		last if $in && !/^\|/;
		next if !$in || /^\| ---/;
		my (undef, $feature, $test, $words) = split /\s*\|\s*/;
		push @rows, [$feature, $test, $words =~ /`([^`]+)`/g];
	}
	return @rows;
}

# What a test has said: lines, or undef if it has not run.
sub said
{
	my ($test) = @_;
	open my $tap, '<', "build/tests/tap/$test.tap" or return;
	my @lines = grep { /^(not )?ok / } <$tap>;
	return \@lines;
}

sub regex
{
	my ($words) = @_;
	$words =~ s/^\.\.\. //;
	return join '.*', map { quotemeta } split /\$(?:\w+|\{[^}]*\})/, $words, -1;
}

open my $seen, '>', 'build/tests/features.md' or die "features.md: $!\n";
print $seen "| feature | test | checks that passed |\n| --- | --- | --- |\n";
my $above = '';
for (rows()) {
	my ($feature, $test, @words) = @$_;
	$feature =~ s/^\.\.\./$above ...,/ or $above = $feature;
	my $lines = said($test);
	unless ($lines) {
		printf "ok %d - %s # SKIP tests/lab/%s.t has not run\n", ++$n, $feature, $test;
		print $seen "| $feature | $test | not run |\n";
		next;
	}
	my ($count, @missing) = (0);
	for my $words (@words) {
		my $regex = regex($words);
		my @hits = grep { /$regex/ } @$lines;
		push @missing, $words if !@hits || grep { /^not / } @hits;
		$count += grep { /^ok / } @hits;
	}
	result(@words && !@missing, "$feature: $test says so");
	print "# not said, or failed: $_\n" for @missing;
	print $seen "| $feature | $test | $count |\n";
}
close $seen or die "features.md: $!\n";
result($n > 0, 'the table is found');
print "1..$n\n";
exit $failed;
