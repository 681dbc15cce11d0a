#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Fuzz the ring code for a short while, VBUS_FUZZ_SECONDS or 15.

set -euo pipefail
. "$(dirname "$0")/../ring/lib.sh"

build all
bin=$TEST_TOP/build/tests/fuzz
seconds=${VBUS_FUZZ_SECONDS:-15}
corpus=$bin/corpus
mkdir -p "$corpus" "$bin/findings"

status=0
out=$(no_aslr "$bin/ring_fuzz" -max_total_time="$seconds" -max_len=4096 -timeout=10 \
	-print_final_stats=1 -artifact_prefix="$bin/findings/" "$corpus" 2>&1) || status=$?
if [[ $status -ne 0 ]]; then
	tail -n 60 <<<"$out" | comment
fi
result "$status" "nothing a hostile peer writes breaks the rings ($seconds s)"

# A fuzzer that hardly ran has shown nothing.
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' <<<"$out")
[[ ${runs:-0} -ge 1000 ]] && status=0 || status=1
result "$status" "the fuzzer ran: ${runs:-0} inputs"
finish
