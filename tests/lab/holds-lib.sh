# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What is held back, and for how long, by the tracepoints vbus_hold and vbus_hold_end.
# Source it after lib.sh.

tracing=/sys/kernel/tracing

# watch CMD...: run it and leave one line "LIMIT TOOK raised|saved", in microseconds, for
# each hold in /tmp/holds
watch()
{
	echo 0 >$tracing/tracing_on
	echo 16384 >$tracing/buffer_size_kb
	echo mono >$tracing/trace_clock
	: >$tracing/trace
	echo 1 >$tracing/events/vbus/vbus_hold/enable
	echo 1 >$tracing/events/vbus/vbus_hold_end/enable
	echo 1 >$tracing/tracing_on
	"$@" >/tmp/watched 2>&1
	echo 0 >$tracing/tracing_on
	echo 0 >$tracing/events/vbus/enable
	awk '{
		for (i = 1; i <= NF; i++) {
			if ($i ~ /^[0-9]+\.[0-9]+:$/)
				us = substr($i, 1, length($i) - 1) * 1000000
			if ($i ~ /^bus=/)
				bus = $i
			if ($i ~ /^lane=/)
				lane = bus " " $i
		}
	}
	/ vbus_hold: / {
		sub(/.*usecs=/, "")
		limit[lane] = $1
		since[lane] = us
	}
	/ vbus_hold_end: / && lane in since {
		printf "%d %d %s\n", limit[lane], us - since[lane], $NF
		delete since[lane]
	}' $tracing/trace >/tmp/holds
}

# middle: the median of the numbers in stdin
middle()
{
	sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] + 0 }'
}

# interrupt_us BUS: what an interrupt costs both sides here, raising it and two doorbells,
# as the host reckons, on the bus's first lane
interrupt_us()
{
	awk 'NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i }
		NR == 2 { print int(($column["raise_ns"] + 2 * $column["doorbell_ns"]) / 1000) }' "$CFS/buses/$1/costs"
}
