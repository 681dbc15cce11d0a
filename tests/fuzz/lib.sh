# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Functions of the fuzzers' tests.  Source it after "set -euo pipefail".

. "$(dirname "${BASH_SOURCE[0]}")/../ring/lib.sh"

bin=$TEST_TOP/build/tests/fuzz
seconds=${VBUS_FUZZ_SECONDS:-15}

# fuzz PROGRAM CORPUS MAX-LEN: for $seconds; sets status and out
fuzz()
{
	mkdir -p "$bin/$2" "$bin/findings"
	status=0
	out=$(no_aslr "$bin/$1" -max_total_time="$seconds" -max_len="$3" -timeout=10 \
		-print_final_stats=1 -artifact_prefix="$bin/findings/" "$bin/$2" 2>&1) ||
		status=$?
}

# stands NAME: the fuzzer has found nothing
stands()
{
	local runs
	[[ $status -eq 0 ]] || tail -n 60 <<<"$out" | comment
	result "$status" "$1 ($seconds s)"
	# a fuzzer that hardly ran has shown nothing
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' <<<"$out")
	[[ ${runs:-0} -ge 1000 ]] && status=0 || status=1
	result "$status" "the fuzzer ran: ${runs:-0} inputs"
}
