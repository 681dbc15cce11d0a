# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Functions of the tests that print TAP.  Source it after "set -euo pipefail".

TEST_DIR=$(cd "$(dirname "$0")" && pwd -P)
TEST_TOP=$(cd "$TEST_DIR/../.." && pwd -P)
TEST_COUNT=0
TEST_FAILED=0

bail()
{
	printf 'Bail out! %s: %s\n' "$(basename "$0")" "$*"
	exit 1
}

# Output of a tool as TAP comments.
comment()
{
	local line
	while IFS= read -r line; do
		printf '# %s\n' "$line"
	done
}

# build TARGET: tests that run side by side build one after the other.
build()
{
	local out
	mkdir -p "$TEST_TOP/build"
	exec 8>"$TEST_TOP/build/.$(basename "$TEST_DIR").lock"
	flock 8
	out=$(make -s -j "$(nproc)" -C "$TEST_DIR" "$1" 2>&1) || {
		comment <<<"$out"
		bail "cannot build $1"
	}
	exec 8>&-
}

# The thread sanitizer of older compilers cannot stand much randomness of
# addresses.  Not every container lets it be turned off.
no_aslr()
{
	if setarch "$(uname -m)" -R true 2>/dev/null; then
		setarch "$(uname -m)" -R "$@"
	else
		"$@"
	fi
}

# result STATUS NAME: one line of TAP; 0 is well.
result()
{
	TEST_COUNT=$((TEST_COUNT + 1))
	if [[ $1 -eq 0 ]]; then
		printf 'ok %d - %s\n' "$TEST_COUNT" "$2"
	else
		printf 'not ok %d - %s\n' "$TEST_COUNT" "$2"
		TEST_FAILED=1
	fi
}

skip()
{
	TEST_COUNT=$((TEST_COUNT + 1))
	printf 'ok %d - %s # SKIP %s\n' "$TEST_COUNT" "$1" "$2"
}

finish()
{
	[[ $TEST_COUNT -gt 0 ]] || bail "no tests"
	printf '1..%d\n' "$TEST_COUNT"
	exit "$TEST_FAILED"
}
