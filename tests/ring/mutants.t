#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Proof that the stress test can fail: it must find each barrier that is missing.
#
# A full barrier that is gone loses a wake-up on real processors; on x86 a release
# or an acquire is free, so E and F are the thread sanitizer's.  The same runs
# without a mutation must pass.

set -euo pipefail
. "$(dirname "$0")/lib.sh"

bin=$TEST_TOP/build/tests/ring

# run PROGRAM ARG...: sets status and out
run()
{
	status=0
	out=$(no_aslr timeout 120 "$@" 2>&1) || status=$?
}

# loses LETTER MODE: does the program sleep for ever?
loses()
{
	local name="without $1 a wake-up is lost"
	if [[ $(nproc) -lt 2 ]]; then
		skip "$name" "one processor reorders nothing against itself"
		return
	fi
	run "$bin/stress-without-$1" -t 1 -n 100000000 "$2"
	comment <<<"$out"
	[[ $status -eq 3 ]] && grep -q 'lost wake-up' <<<"$out" && status=0 || status=1
	result "$status" "$name"
}

# races LETTER: does the sanitizer see the payload unprotected?
races()
{
	run "$bin/stress-without-$1" -n 500000 ioq
	[[ $status -eq 66 ]] && grep -q 'data race.*ioq_consume' <<<"$out" && status=0 || status=1
	grep '^SUMMARY' <<<"$out" | comment
	result "$status" "without $1 the payload is a data race"
}

build mutants
export TSAN_OPTIONS=halt_on_error=1:exitcode=66

run "$bin/stress" -t 20 -T 5 -n 500000 evq
result "$status" "with all barriers no event is lost"
run "$bin/stress" -t 20 -T 5 -n 500000 doze
result "$status" "with all barriers no event is lost when the consumer dozes off"
run "$bin/stress" -t 20 -T 5 -n 500000 ioq
result "$status" "with all barriers no descriptor is lost"
run "$bin/stress-tsan" -t 20 -T 5 -n 100000 ioq
result "$status" "with all barriers the payload is no data race"

for letter in A B C D; do
	loses "$letter" evq
done
loses T doze
for letter in G H; do
	loses "$letter" ioq
done
for letter in E F; do
	races "$letter"
done
finish
