#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Priorities of lanes: what the administrator can set, where a guest binds its
# devices, that a higher lane is served first and a lower one is kept quiet
# meanwhile, and that no signal is lost by that, wherever the interrupts go.
#
# Each NIC has a subnet of its own: NIC n is 10.78.n.2, its peer 10.78.n.1.

set -uo pipefail
. tests/lab/lib.sh

b=$CFS/buses
d=$CFS/devices/venet
KEEP=40		# datagrams that wait for a guest that stands still

# prio_bus NAME PRIORITIES LANES [RT]: enabled
prio_bus()
{
	"$VBUS" bus add "$1" --lanes "$3" || bail "cannot make bus $1"
	echo "$2" >"$b/$1/priorities"
	echo "${4:-0}" >"$b/$1/rt"
	"$VBUS" bus enable "$1" || bail "cannot enable bus $1"
}

# prio_nics BUS PRIORITY...: v0, v1, ...
prio_nics()
{
	local bus=$1 n=0 p
	shift
	for p; do
		new_venet "v$n" "$bus" "mac=02:00:00:00:78:0$n" "priority=$p"
		n=$((n + 1))
	done
}

no_nics()
{
	local n
	for n in 0 1 2; do
		[[ -d $d/v$n ]] || continue
		"$VBUS" unplug "v$n"
		"$VBUS" dev del "v$n"
	done
}

# nic GUEST N: its name in the guest
nic()
{
	in_guest "$1" "d=\$(grep -l 02:00:00:00:78:0$2 /sys/class/net/*/address) && basename \${d%/address}"
}

# nics_up GUEST N: the first N of them, each answers its peer
nics_up()
{
	local n
	await "the guest sees its devices" guest_nics "$1" "$2" || return 1
	# one wire for all: who asks for an address must mean that NIC
	in_guest "$1" "echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore
		echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce"
	for ((n = 0; n < $2; n++)); do
		in_guest "$1" "ip addr add 10.78.$n.2/24 dev $(nic "$1" "$n"); ip link set $(nic "$1" "$n") up"
		await "ping" peer_run ping -c1 -W1 "10.78.$n.2" || return 1
	done
}

# lane_of GUEST N: lanes that the NIC is bound to
lane_of()
{
	in_guest "$1" "ethtool -S $(nic "$1" "$2")" | sed -n 's/^ *lane\([0-9]*\)_interrupts:.*/\1/p' | paste -sd' '
}

# order GUEST: the guest stands still while KEEP pings come for NIC 0, then as
# many for NIC 1.  Prints the answers in their order, "0" or "1" for each.
order()
{
	local pid n
	tcpdump -n -i peer0 -w /tmp/order.pcap 'icmp[icmptype] == icmp-echoreply' >/tmp/tcpdump.log 2>&1 &
	pid=$!
	await "tcpdump listens" grep -q "listening on" /tmp/tcpdump.log
	kill -STOP "$(qemu_pid "$1")"
	for n in 0 1; do
		peer_run ping -q -l $KEEP -c $KEEP -W 60 "10.78.$n.2" >"/tmp/ping.$n" 2>&1 &
		await "$KEEP packets wait" moved "v$n" tx_packets "$(net_stat "v$n" tx_packets)" $KEEP
	done
	sleep 1
	kill -CONT "$(qemu_pid "$1")"
	await "the answers" sh -c "! pgrep -x ping"
	sleep 1
	kill -INT $pid
	wait $pid
	tcpdump -n -r /tmp/order.pcap 2>/dev/null | sed -n 's/.* 10\.78\.\([0-9]\)\.2 > .*/\1/p' | tr -d '\n'
}

# before_last_high ORDER: answers of NIC 0 before the last one of NIC 1
before_last_high()
{
	local high=${1%1*}
	tr -cd 0 <<<"$high" | wc -c
}

# both_lanes GUEST MB WHAT: streams each way on both NICs, datagrams beside them
both_lanes()
{
	local right
	right=$(in_guest "$1" "for n in 0 1; do
			traffic get 10.78.\$n.1 $PORT $2 1 & traffic put 10.78.\$n.1 $PORT $2 2 &
			(traffic udp 10.78.\$n.1 $PORT 300 4000 3 && echo right \$n) &
		done; wait" | tee /tmp/both | grep -cE "^$(($2 << 20)) of $(($2 << 20)) |^right")
	is "$right" 6 "$3: streams and datagrams on both lanes, every byte right" || comment </tmp/both
}

load_host

# --------------------------------------------------------------- attributes

mkdir -p "$b/b0" "$d/v0"
is "$(cat "$b/b0/priorities")" "$(yes 0 | head -n "$(cat "$b/b0/lanes")" | paste -sd' ')" \
	"bus: priorities is 0 for each lane at first"
is "$(cat "$b/b0/rt")" 0 "bus: rt is 0 at first"
gives OK "bus: four lanes" write "$b/b0/lanes" 4
gives OK "bus: priorities takes a list" write "$b/b0/priorities" "0 7 3"
is "$(cat "$b/b0/priorities")" "0 7 3 0" "bus: lanes that are not named have priority 0"
gives OK "bus: priorities takes tabs, newlines, hexadecimal" write "$b/b0/priorities" $' 1\t0x2  \n'
is "$(cat "$b/b0/priorities")" "1 2 0 0" "bus: priorities reads what was written"
gives ERANGE "bus: priorities takes nothing above 7" write "$b/b0/priorities" "0 8"
gives ERANGE "bus: priorities takes no 300" write "$b/b0/priorities" "300"
gives EINVAL "bus: priorities takes no negative number" write "$b/b0/priorities" "-1"
gives EINVAL "bus: priorities takes no nonsense" write "$b/b0/priorities" "0 high"
gives ERANGE "bus: priorities takes no 17 numbers" write "$b/b0/priorities" "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"
is "$(cat "$b/b0/priorities")" "1 2 0 0" "bus: what is refused changes nothing"
gives OK "bus: priorities takes 16 numbers" write "$b/b0/priorities" "0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7"
is "$(cat "$b/b0/priorities")" "0 1 2 3" "bus: priorities shows the lanes that there are"
gives OK "bus: an empty list" write "$b/b0/priorities" $'\n'
is "$(cat "$b/b0/priorities")" "0 0 0 0" "bus: it sets them all to 0"
gives EINVAL "bus: rt takes no nonsense" write "$b/b0/rt" 2
gives OK "bus: rt takes 1" write "$b/b0/rt" 1
is "$(cat "$b/b0/rt")" 1 "bus: rt reads what was written"
gives OK "bus: priorities of four lanes" write "$b/b0/priorities" "0 3 4 7"
gives OK "bus: enable" write "$b/b0/enable" 1
gives EBUSY "bus: priorities of a live bus" write "$b/b0/priorities" "0"
gives EBUSY "bus: rt of a live bus" write "$b/b0/rt" 0
is "$(cat "$b/b0/priorities") $(cat "$b/b0/rt")" "0 3 4 7 1" "bus: they read the same when live"

# class, nice level and real-time priority of the worker of a lane: "TS 0 -"
class()
{
	ps -eo comm,policy,nice,rtprio | awk -v c="vbus/$1/$2" '$1 == c { print $2, $3, $4 }'
}
is "$(class b0 0)" "B 0 0" "the worker of priority 0 is a batch thread"
is "$(class b0 1)" "TS -6 -" "one above it, below the threshold, has a nice level"
is "$(class b0 2), $(class b0 3)" "FF - 1, FF - 50" "rt: those above it are real-time threads"
gives OK "bus: disable" write "$b/b0/enable" 0
gives OK "bus: rt off" write "$b/b0/rt" 0
gives OK "bus: enable again" write "$b/b0/enable" 1
is "$(class b0 2), $(class b0 3)" "TS -8 -, TS -14 -" "without rt all have a nice level"
gives OK "bus: disable again" write "$b/b0/enable" 0

is "$(cat "$d/v0/priority")" 0 "venet: priority is 0 at first"
gives EINVAL "venet: priority takes no nonsense" write "$d/v0/priority" x
gives ERANGE "venet: priority takes no 8" write "$d/v0/priority" 8
gives OK "venet: priority takes 7" write "$d/v0/priority" 7
is "$(cat "$d/v0/priority")" 7 "venet: priority reads what was written"
gives OK "venet: enable" write "$d/v0/enable" 1
gives EBUSY "venet: priority of a live device" write "$d/v0/priority" 0
is "$(cat "$d/v0/priority")" 7 "venet: priority reads the same when live"
echo 0 >"$d/v0/enable"
rmdir "$b/b0" "$d/v0" "$d"

# ---------------------------------------- one CPU, two lanes: who comes first

peer 1500
for n in 0 1 2; do
	ip -n peer addr add 10.78.$n.1/24 dev eth0
done
prio_bus b1 "0 4" 2
prio_nics b1 0 4 2
guest a --kver 6.12 -- -device "$(bus_device b1)" || bail "no guest"
passes "one CPU: three NICs come up" nics_up a 3
is "$(in_guest a 'cat /sys/bus/vbus/devices/vbus0/priorities')" "0 4" \
	"one CPU: the guest uses both lanes, and knows their priorities"
is "$(in_guest a 'grep -c "vbus.0-lane" /proc/interrupts')" 2 "one CPU: each lane has its interrupt"
is "$(lane_of a 0),$(lane_of a 1),$(lane_of a 2)" "0,1,0" \
	"priorities 0, 4, 2: on lane 0, on lane 1, on the nearest lower one"
irqs=$(guest_lane_stat a 1 interrupts)
peer_run ping -q -c 20 -i 0.05 -W 20 10.78.1.2 >/dev/null
is "$(($(guest_lane_stat a 1 interrupts) >= irqs + 10))" 1 "what is for NIC 1 interrupts by lane 1"
answers=$(order a)
note "$answers"
is "${#answers}" $((2 * KEEP)) "two lanes: what waited while the guest stood still is answered, all of it"
late=$(before_last_high "$answers")
is "$((late <= 4))" 1 "two lanes: NIC 1 is served first, although NIC 0 was first to have something" ||
	note "$late answers of NIC 0 before the last one of NIC 1"
# how often the lanes meet is up to chance
for ((try = 1; try <= 3; try++)); do
	both_lanes a 24 "one CPU"
	quiet=$(($(lane_stat b1 0 outranked) + $(lane_stat b1 1 outranked)))
	found=$(($(guest_lane_stat a 0 outranked) + $(guest_lane_stat a 1 outranked)))
	[[ $quiet -eq 0 || $found -eq 0 ]] || break
done
note "host: $quiet interrupts not raised, of $(lane_stat b1 0 interrupts) and $(lane_stat b1 1 interrupts);" \
	"guest: $found times found, raised $(guest_lane_stat a 0 raised) and $(guest_lane_stat a 1 raised)"
is "$((quiet > 0 && found > 0))" 1 "one CPU: the lower lane was kept quiet, and found its signals all the same"
is "$(lane_stat b1 1 held)" 0 "no interrupt of a lane with a priority is held back"
is "$(($(guest_lane_stat a 1 raised) > 0))" 1 "the higher lane raised the active priority"
like "$("$VBUS" show --stats)" 'outranked=' "vbus show --stats shows it"
in_guest a "setsid traffic get 10.78.1.1 $PORT 100000 9 </dev/null >/dev/null 2>&1 &
	setsid traffic put 10.78.1.1 $PORT 100000 9 </dev/null >/dev/null 2>&1 &"
from=$(net_stat v1 tx_bytes)
await "the stream begins" moved v1 tx_bytes "$from" $((8 << 20))
passes "a flood above does not starve the lane below" in_guest a traffic get 10.78.0.1 $PORT 4 4
in_guest a killall traffic
guest_stop a
no_nics
await "the bus is free" bus_state b1 enabled

# ------------------------------------- the same without priorities, to compare

prio_bus b2 "" 2
prio_nics b2 0 0
guest c --kver 6.12 -- -device "$(bus_device b2)" || bail "no guest"
passes "no priorities: two NICs come up" nics_up c 2
is "$(in_guest c 'cat /sys/bus/vbus/devices/vbus0/priorities')" 0 \
	"no priorities: a guest with one CPU uses one lane"
answers=$(order c)
note "$answers"
late=$(before_last_high "$answers")
is "$((late > KEEP / 2))" 1 "no priorities: NIC 0 comes first, being the first to have something"
guest_stop c
no_nics

# ---------------------- two CPUs, interrupts that move, real-time worker, 6.1

"$VBUS" bus del b1 2>/dev/null || { "$VBUS" bus disable b1 && "$VBUS" bus del b1; }
prio_bus b3 "0 4 0" 3 1
prio_nics b3 0 5
guest e --kver 6.1 --smp 2 -- -device "$(bus_device b3)" || bail "no guest"
passes "6.1, two CPUs: two NICs come up" nics_up e 2
is "$(in_guest e 'cat /sys/bus/vbus/devices/vbus0/priorities')" "0 4 0" "6.1: it uses all three lanes"
is "$(in_guest e 'for l in 0 1 2; do
		i=$(sed -n "s/^ *\([0-9]*\):.*lane$l$/\1/p" /proc/interrupts); cat /proc/irq/$i/smp_affinity_list
	done' | paste -sd' ')" "0 0 1" "6.1: the lanes of a priority are spread over the CPUs"
is "$(lane_of e 1)" 1 "6.1: priority 5 is on the lane of priority 4"
in_guest e 'cat >/tmp/move <<-END
	i0=\$(sed -n "s/^ *\([0-9]*\):.*lane0\$/\1/p" /proc/interrupts)
	i1=\$(sed -n "s/^ *\([0-9]*\):.*lane1\$/\1/p" /proc/interrupts)
	n=0
	while :; do
		n=\$((n + 1))
		echo \$((1 + n % 2)) >/proc/irq/\$i0/smp_affinity
		echo \$((1 + n / 2 % 2)) >/proc/irq/\$i1/smp_affinity
		echo \$n >/tmp/moves
		usleep 20000
	done
	END
	setsid sh /tmp/move </dev/null >/tmp/move.log 2>&1 &'
both_lanes e 24 "interrupts move all the time"
is "$(($(in_guest e 'cat /tmp/moves') > 20))" 1 "they moved: $(in_guest e 'cat /tmp/moves') times"
note "host: $(lane_stat b3 0 outranked) interrupts of lane 0 not raised, $(lane_stat b3 1 outranked) of lane 1"
guest_stop e

finish
