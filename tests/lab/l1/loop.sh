#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Loop mode: the bus is bound to virtio_vdpa, and the guest's modules drive it in
# the host's own kernel.  The guest's end is in namespace g.

set -uo pipefail
. tests/lab/lib.sh

H4=10.79.0.1
G4=10.79.0.2
H6=fd79::1
G6=fd79::2

attach()
{
	[[ ! -e /sys/bus/vdpa/drivers/vhost_vdpa/vbus-l0 ]] ||
		echo vbus-l0 >/sys/bus/vdpa/drivers/vhost_vdpa/unbind
	echo vbus-l0 >/sys/bus/vdpa/drivers/virtio_vdpa/bind
}

detach()
{
	echo vbus-l0 >/sys/bus/vdpa/drivers/virtio_vdpa/unbind
}

has_nic()
{
	compgen -G '/sys/bus/vbus/devices/*/net/*'
}

# it is in another namespace, but its device is on the bus
no_nic()
{
	! compgen -G '/sys/bus/vbus/devices/*.*'
}

in_g()
{
	ip netns exec g "$@"
}

# the guest's end by name, once it is in the namespace
find_nic()
{
	in_g sh -c 'basename /sys/bus/vbus/devices/*/net/*'
}

# bring_up: the guest's end, new or again
bring_up()
{
	await "the guest's end" has_nic || return 1
	nic=$(basename /sys/bus/vbus/devices/*/net/*)
	ip link set "$nic" netns g || return 1
	ip -n g addr add $G4/24 dev "$nic"
	ip -n g addr add $G6/64 dev "$nic" nodad
	ip -n g link set "$nic" up
	ip addr replace $H4/24 dev v0
	ip addr replace $H6/64 dev v0 nodad
	ip link set v0 up
	await "ping" in_g ping -c1 -W1 $H4
}

traffic()
{
	passes "$1: TCP, guest side to host side, $2 MiB" in_g "$TRAFFIC" put $H4 "$PORT" "$2" 1
	passes "$1: TCP, host side to guest side, $2 MiB" in_g "$TRAFFIC" get $H4 "$PORT" "$2" 2
}

endless()
{
	for way in put get; do
		in_g "$TRAFFIC" $way $H4 "$PORT" 1000000 3 >/dev/null 2>&1 &
	done
	local rx
	rx=$(net_stat v0 rx_bytes)
	await "a stream" moved v0 rx_bytes "$rx" $((4 << 20))
}

load_host
load_loop
ip netns add g
ip -n g link set lo up
new_bus l0 2
"$VBUS" dev add venet/v0 pairs=2 || bail "no device"
is "$(cat "$CFS/buses/l0/state")" enabled "the bus waits for a guest side"
attach
passes "virtio_vdpa attaches the bus" await "attached" bus_state l0 attached
is "$(cat "$CFS/buses/l0/address")" loop "its address says that it is a loop"
is "$(cat "$CFS/buses/l0/memory")" 0 "all memory is reached, none is counted"
gives EBUSY "the bus cannot be disabled while it is attached" write "$CFS/buses/l0/enable" 0
guest=$(echo /sys/bus/vbus/devices/vbus[0-9])
like "$(cat "$guest/doorbell_ns")" '^[1-9][0-9]{1,6}$' "the guest side has measured its doorbell"
like "$(cat "$guest/sleep_ns")" '^[1-9][0-9]{1,6}$' "the guest side has measured its sleep"
is "$(cat "$guest/spin_us")" 500 "guest side: spin_us is 500 at first"
gives EINVAL "guest side: spin_us takes no nonsense" write "$guest/spin_us" x
gives ERANGE "guest side: spin_us takes no more than 10000" write "$guest/spin_us" 10001
is "$(cat "$guest/spin_us")" 500 "guest side: a refused value changes nothing"
gives OK "guest side: spin_us takes 10000" write "$guest/spin_us" 10000
passes "a device is plugged in while it is attached" "$VBUS" plug v0 l0
passes "the driver opens it" await "open" dev_state v0 open
passes "both ends come up" bring_up
nic=$(find_nic)
server g
"$TRAFFIC" serve "$PORT" >/dev/null 2>&1 &
servers+=($!)
is "$(echo /sys/class/net/v0/queues/tx-* | wc -w)" 2 "the host's end has two queues"
# "ip netns exec" shows the namespace's own sysfs
is "$(in_g sh -c "echo /sys/class/net/$nic/queues/rx-*" | wc -w)" 2 "the guest's end has two queues"

# ------------------------------------------------------------------ traffic

passes "ping by IPv4, both ways" sh -c "ping -c 3 -W 20 $G4 && ip netns exec g ping -c 3 -W 20 $H4"
passes "ping by IPv6, both ways" sh -c "ping -c 3 -W 20 $G6 && ip netns exec g ping -c 3 -W 20 $H6"
traffic "IPv4" 100
passes "IPv6: TCP, guest side to host side, 100 MiB" in_g "$TRAFFIC" put $H6 "$PORT" 100 4
passes "IPv6: TCP, host side to guest side, 100 MiB" in_g "$TRAFFIC" get $H6 "$PORT" 100 5
passes "UDP asked by the guest side, IPv4" in_g "$TRAFFIC" udp $H4 "$PORT" 2000 20000 6
passes "UDP asked by the host side, IPv4" "$TRAFFIC" udp $G4 "$PORT" 2000 20000 7
passes "UDP asked by the guest side, IPv6" in_g "$TRAFFIC" udp $H6 "$PORT" 1000 20000 8
# no answer and no other packet makes the guest look for completions
is "$(python3 tests/lab/notified.py g $H4 10 1400 2>/tmp/longest)" "10 arrived, 10 notified, 0 copied" \
	"MSG_ZEROCOPY: a program hears soon that its memory is its own again"
note "MSG_ZEROCOPY: after $(</tmp/longest) ms at most"
is "$(sha256sum "$TRAFFIC" | cut -c1-64)" \
	"$(socat -u "TCP-LISTEN:7003,reuseaddr" STDOUT | sha256sum | cut -c1-64 &
	await listening sh -c 'ss -ltn | grep -q :7003'
	in_g socat -u "FILE:$TRAFFIC" "TCP:$H4:7003"
	wait)" "a file has the same sha256 at the other end"
kicks0=$(lane_stat l0 0 kicks)
kicks1=$(lane_stat l0 1 kicks)
for seed in 1 2 3 4 5 6 7 8; do
	in_g "$TRAFFIC" put $H4 "$PORT" 8 $seed &
	in_g "$TRAFFIC" get $H4 "$PORT" 8 $seed &
done >/tmp/streams 2>&1
wait_streams()
{
	[[ $(grep -c '^8388608 of 8388608' /tmp/streams) -eq 16 ]]
}
passes "two queue pairs: 16 streams at once, every byte right" await "16 streams" wait_streams
is "$(($(lane_stat l0 0 kicks) > kicks0 && $(lane_stat l0 1 kicks) > kicks1))" 1 \
	"two queue pairs: both lanes carry signals"

# --------------------------------------------------------------- moderation

guest_spins()
{
	awk 'NR == 1 { for (i = 1; i <= NF; i++) col[$i] = i }
		NR > 1 { n += $col["spins_won"] + $col["spins_lost"] }
		END { print n + 0 }' "$guest/lane_stats"
}
host_waits()
{
	echo $(($(lane_stat l0 0 spins_won) + $(lane_stat l0 0 spins_lost) +
		$(lane_stat l0 0 naps_won) + $(lane_stat l0 0 naps_lost)))
}
for a in spin_us nap_us hold_us; do
	echo 0 >"$CFS/buses/l0/$a"
done
echo 0 >"$guest/spin_us"
traffic "before nobody waits" 8		# whoever waits now has ended after this
spins=$(guest_spins)
waits=$(host_waits)
held=$(lane_stat l0 0 held)
traffic "all waiting turned off" 32
is "$(guest_spins)" "$spins" "guest side: with spin_us 0 it never spins"
is "$(host_waits)" "$waits" "with spin_us and nap_us 0 the worker never waits"
is "$(lane_stat l0 0 held)" "$held" "with hold_us 0 no interrupt is held back"
echo 50 >"$CFS/buses/l0/nap_us"
traffic "naps" 32
is "$(($(host_waits) > waits))" 1 "with nap_us 50 the worker naps"
echo 500 >"$guest/spin_us"
echo 400 >"$CFS/buses/l0/spin_us"
echo 400 >"$CFS/buses/l0/hold_us"

# ----------------------------------------------------------------- offloads

for what in "tx off" "tx on" "tso off" "tso on" "rx off" "rx on" "sg off" "sg on" "gso off" "gso on" "gro off" "gro on"; do
	# shellcheck disable=SC2086
	passes "ethtool -K $what" in_g ethtool -K "$nic" $what
	[[ $what != *off ]] || traffic "$what" 16
done
for what in "tx off" "tso off" "sg off"; do
	# shellcheck disable=SC2086
	passes "host side: ethtool -K $what" ethtool -K v0 $what
	traffic "host side, $what" 16
done
ethtool -K v0 tx on sg on tso on | comment
traffic "offloads on again" 16

is "$(python3 tests/lab/far_checksum.py v0 g "$nic")" right \
	"host side: a checksum goes where it belongs, however far that is from its start"

# UDP that the sender leaves unsegmented: 50 bursts of 16 datagrams, each echoed
in_g "$TRAFFIC" serve "$PORT" >/dev/null 2>&1 &
uso_server=$!
uso_from_g()
{
	in_g "$TRAFFIC" uso "$1" "$PORT" 50 1400 3
}
uso_from_host()
{
	"$TRAFFIC" uso "$1" "$PORT" 50 1400 4
}
# uso SIDE HOST COUNTER MIN MAX NAME: as many frames pass, all datagrams are right
uso()
{
	local frames
	frames=$(net_stat v0 "$3")
	passes "USO, $6" "uso_from_$1" "$2"
	frames=$(($(net_stat v0 "$3") - frames))
	is "$((frames >= $4 && frames <= $5))" 1 "USO, $6: 800 datagrams were $frames frames"
}
passes "guest's end: the server of datagrams runs" await "server" uso_from_host $G4
uso g $H4 rx_packets 50 99 "sent by the guest, IPv4"
uso g $H6 rx_packets 50 99 "sent by the guest, IPv6"
uso host $G4 tx_packets 50 99 "sent by the host, IPv4"
uso host $G6 tx_packets 50 99 "sent by the host, IPv6"
in_g ethtool -K "$nic" tx-udp-segmentation off | comment
uso g $H4 rx_packets 800 899 "turned off in the guest"
in_g ethtool -K "$nic" tx-udp-segmentation on | comment
ethtool -K v0 tx-udp-segmentation off | comment
uso host $G4 tx_packets 800 899 "turned off on the host"
ethtool -K v0 tx-udp-segmentation on | comment
kill $uso_server

passes "rings of 64 descriptors" in_g ethtool -G "$nic" rx 64 tx 64
traffic "rings of 64 descriptors" 16

# ------------------------------------------------------- MTU, link, address

ip link set v0 mtu 9000
passes "the guest's end takes an MTU of 9000" ip -n g link set "$nic" mtu 9000
passes "a packet of 9000 bytes is not cut" in_g ping -c 2 -W 20 -M "do" -s 8972 $H4
traffic "MTU 9000" 64
ip -n g link set "$nic" mtu 1500
ip link set v0 mtu 1500
traffic "MTU 1500 again" 16
echo 0 >"$CFS/devices/venet/v0/link"
passes "link 0: the guest's end has no carrier" await "no carrier" sh -c "ip -n g link show $nic | grep -q NO-CARRIER"
echo 1 >"$CFS/devices/venet/v0/link"
passes "link 1: it has carrier again" await "carrier" sh -c "ip -n g link show $nic | grep -q LOWER_UP"
await "ping" in_g ping -c1 -W1 $H4
ip -n g link set "$nic" address 02:00:00:00:00:77
is "$(cat "$CFS/devices/venet/v0/mac")" 02:00:00:00:00:77 "an address set by the guest side is the device's"
passes "down and up again" sh -c "ip -n g link set $nic down && ip -n g link set $nic up"
await "ping" in_g ping -c1 -W1 $H4
traffic "down and up again" 16
for ((i = 0; i < 10; i++)); do
	endless
	ip -n g link set "$nic" down || break
	pkill -x -f ".*traffic (put|get).*"
	ip -n g link set "$nic" up || break
	ip -n g addr replace $G6/64 dev "$nic" nodad
	await "ping" in_g ping -c1 -W1 $H4 || break
done
is "$i" 10 "ten times down and up in the middle of streams"

# ------------------------------------------------------- hotplug and unbind

for ((i = 0; i < 50; i++)); do
	[[ $((i % 5)) -ne 0 ]] || endless
	"$VBUS" unplug v0 || break
	await "the guest's end goes" no_nic || break
	pkill -x -f ".*traffic (put|get).*"
	"$VBUS" plug v0 l0 || break
	bring_up || break
done
is "$i" 50 "fifty times unplugged and plugged in, ten times in the middle of streams"
traffic "after hotplug" 16
for ((i = 0; i < 10; i++)); do
	endless
	detach || break
	await "no session" bus_state l0 enabled || break
	pkill -x -f ".*traffic (put|get).*"
	attach || break
	bring_up || break
done
is "$i" 10 "ten times unbound and bound again in the middle of streams"
traffic "after unbind" 16
for ((i = 0; i < 5; i++)); do
	endless
	echo 0 >"$CFS/devices/venet/v0/enable" || break
	await "the guest's end goes" no_nic || break
	pkill -x -f ".*traffic (put|get).*"
	echo 1 >"$CFS/devices/venet/v0/enable" || break
	bring_up || break
done
is "$i" 5 "five times disabled and enabled in the middle of streams"
traffic "after disable" 16
endless
passes "the guest's driver is unloaded in the middle of streams" rmmod venet
pkill -x -f ".*traffic (put|get).*"
passes "the device is closed then" await "closed" dev_state v0 enabled
insmod "$BUILD/guest-host/venet.ko"
passes "it works when the driver is loaded again" bring_up
traffic "after rmmod" 16

finish
