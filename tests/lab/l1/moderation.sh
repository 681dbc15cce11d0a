#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What is withheld, and for how long: the bus's own moderation (hold_us) and what
# a guest asks for (ethtool -C).  On the loop connector, from the tracepoints
# vbus_hold and vbus_hold_end, so that the guest's own slowness does not count.

set -uo pipefail
. tests/lab/lib.sh
. tests/lab/holds-lib.sh

H4=10.79.0.1
G4=10.79.0.2
# A timer of an emulated CPU that another program keeps from running is late.
# None may be later than this, and half of them must be in time.
SLACK_US=100000
MEDIAN_US=3000

in_g()
{
	ip netns exec g "$@"
}

has_nic()
{
	compgen -G '/sys/bus/vbus/devices/*/net/*'
}

coalesce()
{
	in_g ethtool -C "$nic" "$@"
}

coalesced()
{
	in_g ethtool -c "$nic" | awk -v key="$1:" '$1 == key { print $2 }'
}

# holds WHICH: how many of that limit (a regex)
holds()
{
	grep -cE "^($1) " /tmp/holds
}

# longest, median: beyond their limit, microseconds
longest()
{
	awk '{ over = $2 - $1; if (over > most) most = over } END { print most + 0 }' /tmp/holds
}

median()
{
	awk '{ print $2 - $1 }' /tmp/holds | middle
}

# above US: how many of another, larger limit
above()
{
	awk -v us="$1" '$1 > us' /tmp/holds | wc -l
}

# bounded NAME: of what was watched
bounded()
{
	note "$1: $(wc -l </tmp/holds) holds, $(grep -c raised /tmp/holds) raised by their end;" \
		"beyond the limit: median $(median) us, at most $(longest) us"
	is "$(($(median) <= MEDIAN_US))" 1 "$1: half of the interrupts are let go in time"
	is "$(($(longest) <= SLACK_US))" 1 "$1: no interrupt is withheld longer than its limit, and what the machine adds"
}

# rtt: the median round trip of a few pings from the host's end, microseconds
rtt()
{
	ping -c 15 -i 0.05 -W 20 $G4 | sed -n 's/.* time=\([0-9.]*\) ms$/\1/p' |
		awk '{ print int($1 * 1000) }' | middle
}

# stalls: how often the guest's ring was full
stalls()
{
	ethtool -S v0 | awk '$1 == "guest_buffer_stalls:" { print $2 }'
}

load_host
load_loop
ip netns add g
ip -n g link set lo up
new_bus l0
new_venet v0 l0
loop_attach l0
await "the guest's end" has_nic || bail "no NIC"
nic=$(basename /sys/bus/vbus/devices/*/net/*)
ip link set "$nic" netns g
ip -n g addr add $G4/24 dev "$nic"
ip -n g link set "$nic" up
ip addr add $H4/24 dev v0
await "ping" in_g ping -c1 -W1 $H4
"$TRAFFIC" serve "$PORT" >/dev/null 2>&1 &
servers+=($!)

# ------------------------------------------------------------------- ethtool

is "$(coalesced rx-usecs) $(coalesced rx-frames)" "0 0" "ethtool -c: nothing waits at first"
is "$(in_g ethtool -c "$nic" | sed -n 's/^Adaptive RX: \([a-z]*\).*/\1/p')" off "ethtool -c: adaptive-rx is off at first"
passes "ethtool -C: rx-usecs 10000 rx-frames 65535" coalesce rx-usecs 10000 rx-frames 65535
is "$(coalesced rx-usecs) $(coalesced rx-frames)" "10000 65535" "ethtool -c: what was set"
passes "ethtool -C: more microseconds are refused" sh -c "! ip netns exec g ethtool -C $nic rx-usecs 10001"
passes "ethtool -C: more frames are refused" sh -c "! ip netns exec g ethtool -C $nic rx-frames 65536"
passes "ethtool -C: what is not supported is refused" sh -c "! ip netns exec g ethtool -C $nic tx-usecs 5"
is "$(coalesced rx-usecs) $(coalesced rx-frames)" "10000 65535" "ethtool -c: what was refused has changed nothing"

# -------------------------------------------------------------------- nothing

coalesce rx-usecs 0 rx-frames 0
echo 0 >$CFS/buses/l0/hold_us
held=$(lane_stat l0 0 held)
watch in_g "$TRAFFIC" get $H4 "$PORT" 64 1
like "$(</tmp/watched)" '^67108864 of 67108864 ' "all off: a stream's bytes are right"
is "$(lane_stat l0 0 held) $(wc -l </tmp/holds)" "$held 0" "all off: no interrupt of a stream is held back"
watch ping -c 20 -i 0.02 -W 20 $G4
is "$(lane_stat l0 0 held) $(wc -l </tmp/holds)" "$held 0" "all off: nor of pings"
fast=$(rtt)

# ------------------------------------------------------------------- hold_us

for us in 200 1000 10000; do
	echo $us >$CFS/buses/l0/hold_us
	watch in_g "$TRAFFIC" put $H4 "$PORT" 64 1
	like "$(</tmp/watched)" '^67108864 of 67108864 ' "hold_us $us: the bytes of a stream from the guest are right"
	is "$(($(holds $us) > 0)) $(above $us)" "1 0" "hold_us $us: interrupts are held, with that limit"
	bounded "hold_us $us"
	watch in_g "$TRAFFIC" get $H4 "$PORT" 64 1
	like "$(</tmp/watched)" '^67108864 of 67108864 ' "hold_us $us: the bytes of a stream to the guest are right"
	is "$(($(holds $us) > 0)) $(above $us)" "1 0" "hold_us $us: interrupts of that are held, too"
	bounded "hold_us $us, to the guest"
done
# the stream counts as bulk data for a while
await "the stream is over" grep -q '^bulk 0' /sys/kernel/debug/vbus/l0/lane0/moderation
batches=$(lane_stat l0 0 batches)
watch ping -f -c 2000 -W 20 $G4
like "$(</tmp/watched)" ' 0% packet loss' "hold_us: pings, each as soon as the last one is answered"
is "$(lane_stat l0 0 batches)" "$batches" "hold_us: ... are no flood: no signal waits for company"
watch ping -c 20 -i 0.05 -W 20 $G4
note "an interrupt costs $(interrupt_us l0) us; holds of pings: $(awk '{ print $1 }' /tmp/holds | sort -n | uniq -c | tr -s ' \n' ' ')"
is "$(above $(($(interrupt_us l0) * 4 + 100)))" 0 "hold_us: the interrupt of a ping is not held back for longer than it costs"
is "$(($(wc -l </tmp/holds) <= 10))" 1 "hold_us: a guest that sleeps is interrupted at once"
ip link set v0 mtu 65535
ip -n g link set "$nic" mtu 65535
watch ping -c 20 -i 0.05 -W 20 -M "do" -s 20000 $G4
like "$(</tmp/watched)" ' 0% packet loss' "hold_us: every big ping is answered"
is "$(($(wc -l </tmp/holds) <= 10))" 1 "hold_us: ... for a big packet, too"
ip -n g link set "$nic" mtu 1500
ip link set v0 mtu 1500
echo 0 >$CFS/buses/l0/hold_us

# ------------------------------------------------------------------ rx-usecs

for us in 500 5000; do
	coalesce rx-usecs $us rx-frames 0
	watch ping -c 50 -i 0.02 -W 20 $G4
	like "$(</tmp/watched)" ' 0% packet loss' "rx-usecs $us: every ping is answered"
	is "$(($(holds $us) >= 45 && $(holds $us) == $(wc -l </tmp/holds)))" 1 "rx-usecs $us: interrupts are held, with that limit"
	bounded "rx-usecs $us"
done
slow=$(rtt)
note "round trip: $fast us without, $slow us with rx-usecs 5000"
is "$((slow > fast + 3000))" 1 "rx-usecs 5000: the guest does get its packets later"
passes "rx-usecs 5000: checked traffic, guest side to host side" in_g "$TRAFFIC" put $H4 "$PORT" 16 2
watch in_g "$TRAFFIC" get $H4 "$PORT" 16 3
like "$(</tmp/watched)" '^16777216 of 16777216 ' "rx-usecs 5000: checked traffic, host side to guest side"
bounded "rx-usecs 5000, in a stream"
echo 1000 >$CFS/buses/l0/hold_us
watch in_g "$TRAFFIC" get $H4 "$PORT" 16 3
is "$(($(holds 5000) > 0))" 1 "rx-usecs goes before hold_us"
echo 0 >$CFS/buses/l0/hold_us

# ----------------------------------------------------------------- rx-frames

coalesce rx-usecs 10000 rx-frames 1
watch ping -c 20 -i 0.02 -W 20 $G4
note "rx-frames 1: held for $(awk '{ print $2 }' /tmp/holds | sort -n | tail -n1) us at most"
is "$(awk '$2 > 5000' /tmp/holds | wc -l)" 0 "rx-frames 1: no interrupt waits for the timer"
coalesce rx-usecs 10000 rx-frames 3
watch ping -c 30 -i 0.05 -l 3 -W 20 $G4
fewer=$(awk '$2 < 5000' /tmp/holds | wc -l)
note "rx-frames 3: $fewer of $(wc -l </tmp/holds) holds end before the timer"
is "$((fewer >= 1))" 1 "rx-frames 3: the third of a burst ends the wait"

# ----------------------------------------------------------------- a full ring

# nothing more can come, so there is nothing to wait for
coalesce rx-usecs 10000 rx-frames 0
in_g ethtool -G "$nic" rx 64
await "ping" in_g ping -c1 -W1 $H4
stalls=$(stalls)
watch ping -c 250 -l 250 -i 0.01 -W 2 $G4
stalls=$(($(stalls) - stalls))
early=$(awk '$3 == "raised" && $2 < 5000' /tmp/holds | wc -l)
note "a burst into a ring of 64: full $stalls times; $early of $(wc -l </tmp/holds) holds end before the timer"
is "$((stalls > 0 && early > 0))" 1 "ring of 64: a full ring ends the wait"
in_g ethtool -G "$nic" rx 1024

# -------------------------------------------------------------- kept, adaptive

coalesce rx-usecs 3000 rx-frames 0
ip -n g link set "$nic" down
ip -n g link set "$nic" up
await "ping" in_g ping -c1 -W1 $H4
watch ping -c 10 -i 0.05 -W 20 $G4
is "$(($(holds 3000) > 0))" 1 "down and up: the host is told again"
passes "adaptive-rx on" coalesce adaptive-rx on
watch in_g "$TRAFFIC" get $H4 "$PORT" 200 4
like "$(</tmp/watched)" '^209715200 of 209715200 ' "adaptive-rx: a stream's bytes are right"
note "adaptive-rx: holds by limit: $(awk '{ print $1 }' /tmp/holds | sort -n | uniq -c | tr -s ' \n' ' ')"
is "$(($(holds '1|8|64|128|256') == $(wc -l </tmp/holds) && $(wc -l </tmp/holds) > 0))" 1 \
	"adaptive-rx: every limit is one of the kernel's profiles"
passes "adaptive-rx off" coalesce adaptive-rx off
watch ping -c 10 -i 0.05 -W 20 $G4
is "$(($(holds 3000) == $(wc -l </tmp/holds)))" 1 "adaptive-rx off: what was set before holds again"

# ------------------------------------------------------------------- debugfs

lane=/sys/kernel/debug/vbus/l0/lane0
is "$(awk '$1 == "signals" { print $2 }' $lane/counters)" "$(lane_stat l0 0 signals)" "debugfs: counters are those of stats"
is "$(wc -l <$lane/counters)" "$(head -n1 $CFS/buses/l0/stats | wc -w | awk '{ print $1 - 1 }')" "debugfs: all of them"
comment <$lane/moderation
is "$(awk '{ print $1 }' $lane/moderation | tr '\n' ' ')" \
	"live owned pauses bulk spin_ns doorbell_ns wake_ns raise_ns idle_age_ns held hold_left_ns " "debugfs: what moderation does"
is "$(stat -c %a $lane/counters $lane/moderation | tr '\n' ' ')" "400 400 " "debugfs: read-only, for root"
exec {reader}<$lane/moderation
rmmod vbus_virtio
"$VBUS" bus disable l0
is "$(ls /sys/kernel/debug/vbus)" "" "debugfs: gone when the bus is disabled, readers or not"
like "$(cat <&"$reader" 2>&1)" 'Input/output error' "debugfs: a reader of what is gone gets an error"
exec {reader}<&-

finish
