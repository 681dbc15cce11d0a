#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# No wakeup is ever lost.  Modules whose ring code has random delays at each step
# of the protocols (../modules) play ping-pong on the loop connector, on two lanes,
# with and without bulk moderation.  With one queue on a lane each signal that is
# lost leaves it waiting for ever, which is looked for; with many the next signal
# of another queue would make good for it, so both are played.  At the end both
# sides must have counted the same.
#
# VBUS_WAKEUP_SIGNALS: how many signals, default ten million.

set -uo pipefail
. tests/lab/lib.sh

WANT=${VBUS_WAKEUP_SIGNALS:-10000000}
MODULES=$BUILD/tests/modules
PING=/sys/kernel/debug/vbus-ping

load_side()
{
	local m
	for m in "${@:2}"; do
		insmod "$MODULES/$1/$m.ko" || bail "cannot load $1/$m"
	done
}

guest_stat()
{
	awk -v key="$1" 'NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i }
		NR > 1 { n += $column[key] } END { print n + 0 }' /sys/bus/vbus/devices/vbus*/lane_stats
}

host_stat()
{
	echo $(($(lane_stat w0 0 "$1") + $(lane_stat w0 1 "$1")))
}

# signals that arrived, both ways
signals()
{
	echo $(($(host_stat kicks) + $(guest_stat events)))
}

# play FIRST QUEUES INFLIGHT PINGS THREADED: until all are answered, or one never is
play()
{
	local state sent seen wrong idle begin from
	begin=$(uptime_cs)
	from=$(signals)
	echo "$*" >$PING/run
	while :; do
		read -r state sent seen wrong idle <$PING/status
		[[ $state == running && $idle -lt $STUCK_MS ]] || break
		nap
	done
	took=$(($(uptime_cs) - begin))
	played=$(($(signals) - from))
	[[ $state == "done" && $wrong -eq 0 ]] && return
	note "$*: $state, $sent sent, $seen seen, $wrong wrong, one waits for $idle ms"
	grep . /sys/kernel/debug/vbus/w0/*/moderation | comment
	return 1
}

bulk_one_in()
{
	echo "$1" >/sys/module/vbus_ping_host/parameters/bulk_one_in
}

# attach DIR: the guest's side of that build, on the bus
attach()
{
	load_side "$1" vbus_guest vbus_virtio vbus_ping_guest
	loop_attach w0
	await "the test driver" test -e $PING/status
}

modprobe vhost_vdpa && modprobe virtio_vdpa || bail "no vdpa"
load_side host vbus_test_hook vbus vbus_vdpa vbus_ping_host
new_bus w0 2
"$VBUS" dev add ping/p0 || bail "no device"
"$VBUS" plug p0 w0

# A guest that goes to sleep without looking again is found out.
passes "broken on purpose: the test driver has its queues" attach deaf
STUCK_MS=5000
lost=0
for ((i = 0; i < 40 && !lost; i++)); do
	play 3 1 1 100000 1 && play 0 1 1 100000 1 && play 2 2 1 100000 1 || lost=1
done
is "$lost" 1 "broken on purpose: a wakeup is lost, and noticed"
rmmod vbus_virtio vbus_ping_guest vbus_guest 2>&1 | comment

passes "the test driver has its queues" attach guest
STUCK_MS=15000
begin=$(uptime_cs)
# the guest's counters begin with its driver, the host's with the bus
kicked=$(($(host_stat kicks) - $(guest_stat kicks)))
told=$(($(host_stat signals) - $(host_stat coalesced) - $(guest_stat events)))
from=$(signals)
lost=0
round=0
while [[ $(($(signals) - from)) -lt $WANT && $lost -eq 0 ]]; do
	# bulk moderation spins and holds; every third round is without
	bulk_one_in $((round % 3 * 3000))
	# the first two take as long as all others: each ping sleeps twice
	for n in "3 1 1 50000" "0 1 1 50000" "2 2 1 100000" "6 2 2 100000" "1 8 1 100000" \
		"0 62 1 400000" "0 62 8 100000"; do
		# shellcheck disable=SC2086
		play $n $((round % 2)) || lost=1
		[[ $round -gt 3 ]] || note "round $round: first queue, queues, in flight, pings: $n: $played signals in ${took}0 ms"
		[[ $lost -eq 0 ]] || break
	done
	round=$((round + 1))
done
seconds=$((($(uptime_cs) - begin) / 100 + 1))
total=$(($(signals) - from))
note "$total signals in $seconds s, $((total / seconds)) per second; the guest looked again in time" \
	"$(guest_stat rearms) times, and went to sleep $(guest_stat arms) times, the host $(host_stat arms)"
is "$lost" 0 "every ping is answered, and rightly"
is "$((total >= WANT))" 1 "$WANT signals were exchanged"
is "$(($(guest_stat rearms) > 0))" 1 "the race that the second look is for did happen"
is "$(($(host_stat kicks) - kicked))" "$(guest_stat kicks)" "the host has taken each signal of the guest once"
is "$(guest_stat events)" "$(($(host_stat signals) - $(host_stat coalesced) - told))" \
	"the guest has taken each signal of the host once"
cat $CFS/buses/w0/stats | comment
cat /sys/bus/vbus/devices/vbus*/lane_stats | comment

finish
