#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Check the protocols of the rings against the Linux kernel memory model.
#
# usage: tests/model/model.t [NAME...]		TAP; all of litmus/ by default
#
# A litmus file says in its head what herd7 must observe of its final state:
#
#	Expect: Never
#	Without A: Sometimes
#
# and its barriers carry their letter as a comment, "smp_mb(); // A".  For each
# "Without" line this runner makes a variant in which that barrier is gone, or
# in which that release or acquire is a plain READ_ONCE or WRITE_ONCE.  A letter
# that is used must have its line.

set -euo pipefail

. "$(dirname "$0")/../ring/lib.sh"

dir=$TEST_DIR
build=$TEST_TOP/build/tests/model

# expectations FILE: lines "LETTER VERDICT", LETTER is - for the file as it is.
expectations()
{
	sed -n -E \
		-e 's/^ \* Expect: (Never|Sometimes|Always)$/- \1/p' \
		-e 's/^ \* Without ([A-Z]): (Never|Sometimes|Always)$/\1 \2/p' "$1"
}

# variant FILE LETTER NAME: the file without the barrier, on stdout.
variant()
{
	sed -E \
		-e "1s/.*/C $3/" \
		-e "/\/\/ $2$/ {
			s/smp_mb\(\);//
			s/smp_store_release\((.*)\);/WRITE_ONCE(*\1);/
			s/smp_load_acquire\(/READ_ONCE(*/
		}" "$1"
}

# check NAME VERDICT: is that what herd7 says?  A race is a failure where the
# state must never occur.
check()
{
	local name=$1 want=$2 out
	if ! out=$("$dir/herd" "$build/$name.litmus" 2>&1); then
		comment <<<"$out"
		return 1
	fi
	if ! grep -q -E "^Observation $name $want " <<<"$out"; then
		comment <<<"$out"
		return 1
	fi
	if [[ $want == Never ]] && grep -q '^Flag' <<<"$out"; then
		comment <<<"$out"
		return 1
	fi
}

if [[ $# -gt 0 ]]; then
	files=()
	for name in "$@"; do
		files+=("$dir/litmus/$name.litmus")
	done
else
	files=("$dir"/litmus/*.litmus)
fi

cache=$("$dir/herd" --fetch) || bail "herd7 or the memory model is missing, see above"
printf '# model: %s\n' "$(paste -sd' ' "$cache/model-version")"

rm -rf "$build"
mkdir -p "$build"

# Everything that is to be checked: name, letter or -, verdict.
list=()
for file in "${files[@]}"; do
	[[ -f $file ]] || bail "no litmus test $file"
	base=$(basename "$file" .litmus)
	[[ $(head -n1 "$file") == "C $base" ]] || bail "$base: the first line must be \"C $base\""
	stated=$(expectations "$file")
	grep -q '^- ' <<<"$stated" || bail "$base: no line \"Expect:\""
	while read -r letter; do
		grep -q "^$letter " <<<"$stated" || bail "$base: no line \"Without $letter:\""
	done < <(sed -n -E 's|.*// ([A-Z])$|\1|p' "$file")
	while read -r letter verdict; do
		if [[ $letter == - ]]; then
			name=$base
			cp "$file" "$build/$name.litmus"
		else
			name=$base-without-$letter
			variant "$file" "$letter" "$name" >"$build/$name.litmus"
			# Beside the name in the first line.
			[[ $(diff "$file" "$build/$name.litmus" | grep -c '^>') -ge 2 ]] ||
				bail "$base: no barrier $letter to remove"
		fi
		list+=("$name $verdict")
	done <<<"$stated"
done

for entry in "${list[@]}"; do
	read -r name verdict <<<"$entry"
	status=0
	check "$name" "$verdict" || status=1
	result "$status" "$name: $verdict"
done
finish
