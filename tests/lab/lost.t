#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the lab does about an L1 that is lost: that it is noticed and told apart from a
# command that does not end, what its CPUs did, and whether tests/run may begin again.

set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
sudo=
[[ $EUID -eq 0 ]] || sudo=sudo
emulated=1
! grep -qwE 'svm|vmx' /proc/cpuinfo || emulated=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
count=0

# is GOT WANT NAME
is()
{
	count=$((count + 1))
	if [[ $1 == "$2" ]]; then
		echo "ok $count - $3"
	else
		echo "not ok $count - $3"
		echo "# got '$1', want '$2'"
		sed 's/^/# /' "$tmp/out"
	fi
}

# says REGEX NAME: a line of the last output
says()
{
	is "$(grep -cE -m1 -- "$1" "$tmp/out")" 1 "$2"
}

# status_of CMD...
status_of()
{
	local status=0
	"$@" >"$tmp/out" 2>&1 || status=$?
	echo "$status"
}

# lose HOW OPTION...: status of lab/run; one L1 at a time, as tests/lab/boot has it
lose()
{
	mkdir -p build/tests
	status_of flock build/tests/.lab.lock $sudo lab/run --log build/log/lost \
		--env "VBUS_LOST=$1" "${@:2}" -- tests/lab/l1/lost.sh
}

is "$(lose ends_not --timeout 3)" 124 "a command that does not end: status 124"
says '^lab/run: timeout: the command did not end in 3 s$' "... and it says so"
is "$(grep -c 'task:sleep ' build/log/lost/console.log)" 1 "... the console has what its processes wait for"
is "$(lose hangs --silence 10)" 125 "no sign of life: status 125, long before the timeout"
says '^lab/run: L1 hung: it gave no sign of life for 10 s$' "... and it says so"
if [[ $emulated -eq 1 ]]; then
	says '^\[.* NMI: Not continuing' "... the kernel is made to panic"
	is "$(grep -cE 'NMI backtrace for cpu [0-2]$' "$tmp/out")" 3 "... and shows what each CPU did"
fi

export VBUS_LOST
VBUS_LOST=dies
is "$(status_of tests/lab/boot lost)" $((emulated ? 75 : 125)) "a test whose L1 dies may run again if that is emulated"
says '^# L1 died or hung, see build/log/lost' "... and it says so"
says '^\[.* sysrq_handle_crash' "... with a backtrace"
says '^ok 1 - before$' "... and what the test had said"
VBUS_LOST=ours
is "$(status_of tests/lab/boot lost)" 125 "it may not if our code is in a backtrace"
says '^# L1 died or hung, see build/log/lost: our code' "... and it says so"

# a test that loses its machine $TIMES times after a line $FIRST
cat >"$tmp/lost.t" <<-'END'
	#!/bin/bash
	echo x >>"$0.runs"
	echo "$FIRST 1 - before"
	[[ $(wc -l <"$0.runs") -gt $TIMES ]] || exit 75
	echo "ok 2 - after"
	echo 1..2
END
chmod +x "$tmp/lost.t"

# again FIRST TIMES [FILES]: what tests/run counts in the end
again()
{
	local files=() i
	for ((i = 0; i < ${3:-1}; i++)); do
		files+=("$tmp/lost.t")
	done
	rm -f "$tmp/lost.t.runs"
	FIRST=$1 TIMES=$2 tests/run "${files[@]}" >"$tmp/out"
	tail -n1 "$tmp/out"
}

is "$(again ok 0)" "2 passed, 0 failed" "tests/run: a test whose machine stays runs once"
is "$(again ok 1)" "2 passed, 0 failed" "tests/run: one that loses it runs again, which alone counts"
says '^# .* died or hung after 1 tests: ONCE MORE' "... and it says so there"
says '^run twice, because L1 died or hung: ' "... and at the end"
is "$(again ok 2)" "1 passed, 1 failed" "tests/run: it fails at the second loss"
is "$(again 'not ok' 1)" "0 passed, 2 failed" "tests/run: one in which something failed does not run again"
is "$(again ok 9 3)" "3 passed, 3 failed" "tests/run: the third file that is lost does not run again"
is "$(wc -l <"$tmp/lost.t.runs")" 5 "... indeed"
echo "1..$count"
