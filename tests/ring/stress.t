#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Stress of the rings by threads and by processes, see stress*.c.
#
# Each run has a deadline for a single sleep; the outer one is for a hang of the
# test program itself.  Two threads that spin for each other are slow beyond
# measure when others want the processors, so those runs end after some seconds:
# what they have done by then is in the comment.

set -euo pipefail
. "$(dirname "$0")/lib.sh"

# try NAME PROGRAM ARG...
try()
{
	local name=$1 program=$TEST_TOP/build/tests/ring/$2 status=0 out
	shift 2
	out=$(no_aslr timeout 300 "$program" -t 20 "$@" 2>&1) || status=$?
	comment <<<"$out"
	result "$status" "$name"
}

build stress
export TSAN_OPTIONS=halt_on_error=1:exitcode=66

try "events: ten million pushes, or 30 s" stress -T 30 -n 10000000 evq
try "events: delays at the steps of the protocol" stress -T 4 -n 300000 -d 8 evq
try "events: sleeping in the kernel" stress -T 4 -n 200000 -f evq
try "events: positions wrap" stress -T 4 -n 500000 -w -d 16 evq
try "events: dozing off, ten million pushes, or 15 s" stress -T 15 -n 10000000 doze
try "events: dozing off, delays at the steps of the protocol" stress -T 4 -n 300000 -d 8 doze
try "descriptors: ten million, or 15 s" stress -T 15 -n 10000000 ioq
try "descriptors: delays at the steps of the protocol" stress -T 4 -n 300000 -d 8 ioq
try "descriptors: sleeping in the kernel" stress -T 4 -n 200000 -f ioq
try "descriptors: positions wrap" stress -T 4 -n 500000 -w -d 16 ioq
try "lane: ten million chains, host and guest are threads" stress -n 10000000 -f lane
try "lane: delays at the steps of the protocol" stress -n 300000 -f -d 16 lane
try "lane: sleeping in a loop, with delays" stress -n 300000 -d 16 lane
try "lane: host and guest are processes, memory at two addresses" stress -n 3000000 -f -p lane
try "lane: processes with delays" stress -n 300000 -f -p -d 16 lane
try "events: no data race" stress-tsan -T 4 -n 100000 evq
try "events: dozing off, no data race" stress-tsan -T 4 -n 100000 doze
try "descriptors: no data race" stress-tsan -T 4 -n 100000 ioq
try "lane: no data race" stress-tsan -n 300000 -f lane
try "lane: no data race with delays" stress-tsan -n 100000 -f -d 8 lane
finish
