#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Re-binding at run time: the number of queue pairs changes (ethtool -L), and the
# lanes' interrupts move from CPU to CPU, in the middle of checked streams.

set -uo pipefail
. tests/lab/lib.sh

H4=10.79.0.1
G4=10.79.0.2

in_g()
{
	ip netns exec g "$@"
}

has_nic()
{
	compgen -G '/sys/bus/vbus/devices/*/net/*'
}

combined()
{
	"$@" ethtool -l "$nic" | awk '/^Current/ { now = 1 } now && /^Combined/ { print $2 }'
}

# ethtool_stat NAME CMD...: sum of the counters whose name matches
ethtool_stat()
{
	"${@:2}" | awk -v name="$1:" '$1 ~ name { n += $2 } END { print n + 0 }'
}

# --------------------------------------------- both sides in this kernel

load_host
load_loop
ip netns add g
ip -n g link set lo up
new_bus l0 2
new_venet v0 l0 pairs=2
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

is "$(combined in_g)" 2 "loop: two pairs at first"
passes "loop: no more pairs than there are" sh -c "! ip netns exec g ethtool -L $nic combined 3"
passes "loop: no less than one" sh -c "! ip netns exec g ethtool -L $nic combined 0"
is "$(combined in_g)" 2 "loop: two pairs after what was refused"
passes "loop: one pair" in_g ethtool -L "$nic" combined 1
is "$(combined in_g)" 1 "loop: ethtool -l says one pair"
is "$(in_g sh -c "echo /sys/class/net/$nic/queues/tx-* /sys/class/net/$nic/queues/rx-*" | wc -w)" 2 \
	"loop: the interface has one queue of each kind"
await "ping" in_g ping -c1 -W1 $H4
kicks0=$(lane_stat l0 0 kicks)
kicks1=$(lane_stat l0 1 kicks)
dropped=$(ethtool_stat guest_received_dropped ethtool -S v0)
for seed in 1 2 3 4 5 6 7 8; do
	in_g "$TRAFFIC" put $H4 "$PORT" 8 $seed &
	in_g "$TRAFFIC" get $H4 "$PORT" 8 $seed &
done >/tmp/streams 2>&1
all_right()
{
	[[ $(grep -c '^8388608 of 8388608' /tmp/streams) -eq 16 ]]
}
passes "loop: one pair: 16 streams at once, every byte right" await "16 streams" all_right
is "$(lane_stat l0 1 kicks)" "$kicks1" "loop: one pair: the other pair's lane is quiet"
is "$(($(lane_stat l0 0 kicks) > kicks0))" 1 "loop: one pair: its lane is not"
is "$(ethtool_stat guest_received_dropped ethtool -S v0)" "$dropped" \
	"loop: one pair: the host's end sends nothing to the other pair"
passes "loop: two pairs again" in_g ethtool -L "$nic" combined 2
is "$(in_g cat "/sys/class/net/$nic/queues/tx-1/xps_cpus" | tr -d 0,)" 2 \
	"loop: the second queue is its CPU's again (XPS)"
await "ping" in_g ping -c1 -W1 $H4

# flips WHAT N CMD...: N times one pair and two while streams run
flips()
{
	local what=$1 n=$2 way bad=0 during=0
	shift 2
	for way in put get; do
		"$@" "$TRAFFIC" $way $H4 "$PORT" 1000 "$n" >"/tmp/$way" 2>&1 &
	done
	sleep 1
	for ((i = 0; i < n; i++)); do
		"$@" ethtool -L "$nic" combined $((1 + i % 2)) || bad=1
		# a stream says nothing before its end
		[[ -s /tmp/put || -s /tmp/get ]] || during=$((during + 1))
		sleep 0.2
	done
	is "$bad" 0 "$what: $n times another number of pairs"
	note "$during of them while both streams ran"
	is "$((during >= 4))" 1 "$what: in the middle of the streams"
	passes "$what: the streams come to their end" await "streams" \
		sh -c "grep -q . /tmp/put && grep -q . /tmp/get"
	is "$(cat /tmp/put /tmp/get | grep -c '^1048576000 of 1048576000 ')" 2 \
		"$what: not a byte is lost or changed, either way"
}

# counts: of packets, at both ends: what each sent, and received or refused
counts()
{
	echo "$(ethtool_stat '^tx[0-9]+_packets' in_g ethtool -S "$nic")" \
		"$(($(ethtool_stat guest_sent_packets ethtool -S v0) + $(ethtool_stat guest_sent_dropped ethtool -S v0)))" \
		"$(ethtool_stat guest_received_packets ethtool -S v0)" \
		"$(ethtool_stat '^rx[0-9]+_packets' in_g ethtool -S "$nic")"
}

flips "loop" 20 in_g
# what the guest's end has sent the host's end has received, or refused: no packet
# was in the rings when they went
read -r guest_sent host_got host_sent guest_got < <(settled counts)
note "the guest's end sent $guest_sent, received $guest_got; the host's end received $host_got, sent $host_sent"
is "$host_got" "$guest_sent" "loop: no packet that the guest's end had sent is lost"
is "$((host_sent - guest_got <= 20 * 64))" 1 "loop: few that the host's end had sent"
in_g ethtool -L "$nic" combined 2
passes "loop: traffic afterwards, guest side to host side" in_g "$TRAFFIC" put $H4 "$PORT" 16 1
passes "loop: traffic afterwards, host side to guest side" in_g "$TRAFFIC" get $H4 "$PORT" 16 2
in_g ip link set "$nic" down
passes "loop: the number can be changed while the interface is down" in_g ethtool -L "$nic" combined 1
in_g ip link set "$nic" up
is "$(combined in_g)" 1 "loop: and is what it was set to when it comes up"
await "ping" in_g ping -c1 -W1 $H4
passes "loop: traffic after that" in_g "$TRAFFIC" get $H4 "$PORT" 16 3
rmmod vbus_virtio
peer_gone
"$VBUS" unplug v0
"$VBUS" dev del v0
"$VBUS" bus disable l0
"$VBUS" bus del l0
rmmod virtio_vdpa

# ------------------------------------------------- a guest with two CPUs

peer 1500
new_bus b0 2
new_venet v0 b0 pairs=2
guest a --smp 2 -- -device "$(bus_device b0)" || bail "no guest"
guest_up a 2 || bail "no traffic"
nic=$(guest_nics a 1)
H4=$PEER4
is "$(combined in_guest a)" 2 "guest: two CPUs, two lanes, two pairs"

# irq LANE
irq()
{
	in_guest a "grep lane$1 /proc/interrupts" | awk -F: '{ print $1 + 0 }'
}

# taken LANE CPU: interrupts of the lane on the CPU
taken()
{
	in_guest a "grep lane$1 /proc/interrupts" | awk -v i=$((2 + $2)) '{ print $i }'
}

irqs=("$(irq 0)" "$(irq 1)")

# move LANE CPU
move()
{
	in_guest a "echo $((1 << $2)) >/proc/irq/${irqs[$1]}/smp_affinity"
}

streams()
{
	local way
	for way in put get; do
		in_guest a "setsid sh -c \"traffic $way $PEER4 $PORT $1 7; echo status \\\$?\" </dev/null >/tmp/$way 2>&1 &"
	done
}

streams_done()
{
	[[ $(in_guest a 'cat /tmp/put /tmp/get' | grep -c status) -eq 2 ]]
}

for cpu in 1 0; do
	move 0 $cpu
	move 1 $cpu
	before=("$(taken 0 0)" "$(taken 0 1)" "$(taken 1 0)" "$(taken 1 1)")
	for i in 1 2 3 4 5 6; do
		# other ports: another hash, another pair of the host's end
		in_guest a "ping -c 5 -i 0.2 $PEER4" >/dev/null
		in_guest a "traffic udp $PEER4 $PORT 20 1000 $i" >/dev/null
	done
	after=("$(taken 0 0)" "$(taken 0 1)" "$(taken 1 0)" "$(taken 1 1)")
	here=$((after[cpu] - before[cpu] + after[2 + cpu] - before[2 + cpu]))
	there=$((after[1 - cpu] - before[1 - cpu] + after[3 - cpu] - before[3 - cpu]))
	note "interrupts on CPU $cpu: $here, on the other one: $there"
	is "$((here > 20 && there <= 4))" 1 "guest: both lanes' interrupts come to CPU $cpu when they are told to"
done

streams 128
bad=0
for ((i = 0; i < 16; i++)); do
	move $((i % 2)) $((i / 2 % 2)) || bad=1
	sleep 0.2
done
is "$bad" 0 "guest: 16 times an interrupt moves"
passes "guest: the streams come to their end" await "streams" streams_done
is "$(in_guest a 'cat /tmp/put /tmp/get' | grep -c '^134217728 of 134217728 ')" 2 \
	"guest: not a byte is lost or changed, either way"
streams 128
bad=0
for ((i = 0; i < 8; i++)); do
	in_guest a "ethtool -L $nic combined $((1 + i % 2))" || bad=1
	move $((i % 2)) $((i / 2 % 2)) || bad=1
	sleep 0.2
done
is "$bad" 0 "guest: 8 times another number of pairs, and an interrupt moves"
passes "guest: the streams come to their end again" await "streams" streams_done
is "$(in_guest a 'cat /tmp/put /tmp/get' | grep -c '^134217728 of 134217728 ')" 2 \
	"guest: not a byte is lost or changed this time"
passes "guest: traffic afterwards" in_guest a traffic get "$PEER4" "$PORT" 16 3
guest_stop a

# ------------------------------------------------- the same, kernel 6.1

await "the bus is free" bus_state b0 enabled
guest c --kver 6.1 --smp 2 -- -device "$(bus_device b0)" || bail "no guest"
guest_up c 3 || bail "no traffic"
nic=$(guest_nics c 1)
is "$(combined in_guest c)" 2 "6.1: two pairs at first"
for n in 1 2; do
	passes "6.1: ethtool -L combined $n" in_guest c ethtool -L "$nic" combined $n
	is "$(combined in_guest c)" $n "6.1: ethtool -l says $n"
	passes "6.1: combined $n: checked traffic, guest to peer" in_guest c traffic put "$PEER4" "$PORT" 16 $n
	passes "6.1: combined $n: checked traffic, peer to guest" in_guest c traffic get "$PEER4" "$PORT" 16 $n
done
passes "6.1: ethtool -C rx-usecs 200 rx-frames 32" in_guest c ethtool -C "$nic" rx-usecs 200 rx-frames 32
held=$(($(lane_stat b0 0 held) + $(lane_stat b0 1 held)))
passes "6.1: coalescing: pings are answered" peer_run ping -c 10 -i 0.1 -W 20 10.77.0.3
is "$(($(lane_stat b0 0 held) + $(lane_stat b0 1 held) > held))" 1 "6.1: coalescing: the host holds interrupts back"
passes "6.1: ethtool -C adaptive-rx on" in_guest c ethtool -C "$nic" adaptive-rx on
passes "6.1: adaptive-rx: checked traffic" in_guest c traffic get "$PEER4" "$PORT" 64 5

finish
