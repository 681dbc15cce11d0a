#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Zero-copy transmission.  Two buses in loop mode, whose host ends va and vb are
# ports of br0, and whose guest ends are in namespaces ga and gb; behind peer0 is
# namespace "peer".  Large datagrams are frames of one piece of memory each, so
# that what was sent by reference can be counted exactly.  A queueing discipline
# keeps packets for as long as a test needs them kept.

set -uo pipefail
. tests/lab/lib.sh

MTU=60000
A4=10.77.0.2
B4=10.77.0.3
BIG=40000

# zc IFNAME COUNTER
zc()
{
	ethtool -S "$1" | awk -v key="guest_$2:" '$1 == key { print $2 }'
}

lent() { zc "$1" sent_by_reference; }
out() { echo $(($(zc "$1" sent_by_reference) - $(zc "$1" references_back))); }
out_is() { [[ $(out "$1") -eq $2 ]]; }

has_session()
{
	bus_state "$1" attached && dev_state "$2" open
}

unknown_nic()
{
	compgen -G '/sys/bus/vbus/devices/*/net/*'
}

# know_peer NAMESPACE: so that nobody asks for the address while it is not heard
know_peer()
{
	ip -n "$1" neigh replace $PEER4 dev eth0 nud permanent \
		lladdr "$(peer_run cat /sys/class/net/eth0/address)"
}

# side BUS DEVICE NAMESPACE ADDRESS: the guest's end of a new or attached bus
side()
{
	[[ -e /sys/bus/vdpa/drivers/virtio_vdpa/vbus-$1 ]] || loop_attach "$1"
	await "$2 is open" has_session "$1" "$2" || return 1
	await "the guest's end" unknown_nic || return 1
	local nic
	nic=$(basename /sys/bus/vbus/devices/*/net/*)
	ip link set "$nic" netns "$3"
	ip -n "$3" link set "$nic" name eth0
	ip -n "$3" link set eth0 mtu "$MTU"
	ip -n "$3" addr add "$4/24" dev eth0
	ip -n "$3" link set eth0 up
	know_peer "$3"
	await "carrier" sh -c "ip -n $3 link show eth0 | grep -q LOWER_UP"
}

in_a() { ip netns exec ga "$@"; }
in_b() { ip netns exec gb "$@"; }

# big COUNT ADDRESS: datagrams of one frame each from ga, nobody waits for answers
big()
{
	in_a ping -q -c "$1" -i 0.01 -W 1 -s "$BIG" "$2" >/dev/null
}

answered()
{
	in_a ping -q -c "$1" -i 0.01 -W 20 -s "$BIG" "$2" | grep -q " $1 received"
}

# hold IFNAME: what is sent there stays there.  let_go IFNAME [drop]
hold()
{
	tc qdisc replace dev "$1" root plug limit 1000000000
}

let_go()
{
	if [[ ${2-} != drop ]]; then
		tc qdisc change dev "$1" root plug release_indefinite
		await "$1 is empty" sh -c "tc -s qdisc show dev $1 | grep -q 'backlog 0b 0p'"
	fi
	tc qdisc del dev "$1" root
}

# renew: ga's queues are new, and nothing is known of what became of earlier frames
renew()
{
	ip -n ga link set eth0 down
	ip -n ga link set eth0 up
	know_peer ga
	await "ping" in_a ping -c1 -W1 $B4
}

# threshold BYTES: of both devices, whose guests attach anew
threshold()
{
	local d
	for d in va vb; do
		echo 0 >"$CFS/devices/venet/$d/enable"
		await "no guest's end" sh -c "! ip -n g${d#v} link show eth0" || return 1
		echo "$1" >"$CFS/devices/venet/$d/zerocopy_bytes"
		echo 1 >"$CFS/devices/venet/$d/enable"
		ip link set "$d" mtu "$MTU"
		ip link set "$d" master br0 up
	done
	side la va ga "$A4" && side lb vb gb "$B4"
}

modprobe sch_plug || bail "no sch_plug"
load_host
load_loop
peer $MTU
ip netns add ga
ip netns add gb
for n in a b; do
	new_bus l$n
	mkdir -p "$CFS/devices/venet/v$n" || bail "no device"
done

# ----------------------------------------------------------------- attribute

attr=$CFS/devices/venet/va/zerocopy_bytes
is "$(cat "$attr")" 16384 "zerocopy_bytes is 16384 at first"
gives ERANGE "zerocopy_bytes takes no more than a frame can have" write "$attr" 65555
gives EINVAL "zerocopy_bytes takes no nonsense" write "$attr" x
gives OK "zerocopy_bytes takes the largest frame" write "$attr" 65554
gives OK "zerocopy_bytes takes 1000" write "$attr" 1000
echo 1000 >"$CFS/devices/venet/vb/zerocopy_bytes"
for n in a b; do
	"$VBUS" plug v$n l$n || bail "no device"
	echo 1 >"$CFS/devices/venet/v$n/enable"
	ip link set v$n mtu "$MTU"
	ip link set v$n master br0 up
	sysctl -qw net.ipv6.conf.v$n.disable_ipv6=1
done
gives EBUSY "zerocopy_bytes cannot be changed while the device is live" write "$attr" 0
side la va ga $A4 || bail "no guest side a"
side lb vb gb $B4 || bail "no guest side b"
await "ping" in_a ping -c1 -W1 $B4 || bail "no way from a to b"
server gb

# ------------------------------------------------------------------ payload

n=$(lent va)
m=$(lent vb)
passes "guest to guest: 20 big datagrams are answered" answered 20 $B4
is "$(($(lent va) - n)) $(($(lent vb) - m))" "20 20" "each of them was sent by reference, both ways"
is "$(out va) $(out vb)" "0 0" "all of it was given back"
is "$(zc va references_copied) $(zc vb references_copied)" "0 0" "none of it was copied"
n=$(lent va)
passes "guest to guest: TCP, 64 MiB" in_a "$TRAFFIC" put $B4 "$PORT" 64 1
passes "guest to guest, the other way: TCP, 64 MiB" in_a "$TRAFFIC" get $B4 "$PORT" 64 2
passes "guest to guest: UDP" in_a "$TRAFFIC" udp $B4 "$PORT" 500 50000 3
is "$(($(lent va) - n > 1000))" 1 "TCP's frames were sent by reference"
is "$(zc va references_copied) $(zc vb references_copied)" "0 0" "none of it was copied"
passes "all of it was given back" await "given back" out_is va 0
n=$(lent va)
in_a ping -q -c 5 -i 0.01 -W 20 -s 900 $B4 >/dev/null
is "$(lent va)" "$n" "frames smaller than zerocopy_bytes are copied"

# -------------------------------------------------- receivers that copy later

renew
n=$(lent va)
passes "to a socket of the host: TCP, 64 MiB" in_a "$TRAFFIC" put $PEER4 "$PORT" 64 4
like "$(zc va references_copied)" '^[1-9]' "what a socket gets is copied then, and counted"
is "$(($(lent va) - n < 500))" 1 "and it is not tried again for a while"

# --------------------------------------------------- receivers that are slow

renew
hold peer0
n=$(lent va)
big 30 $PEER4
is "$(($(lent va) - n)) $(out va)" "30 30" "a slow receiver: 30 frames are out"
n=$(lent va)
passes "meanwhile frames to others are answered, out of order" answered 20 $B4
is "$(($(lent va) - n)) $(out va)" "20 30" "they came back, the others did not"
passes "meanwhile TCP to others, 32 MiB" in_a "$TRAFFIC" put $B4 "$PORT" 32 5
passes "meanwhile TCP from others, 32 MiB" in_a "$TRAFFIC" get $B4 "$PORT" 32 6
is "$(out va)" 30 "the frames are out still"
n=$(zc va references_refused)
big 300 $PEER4
m=$(out va)
is "$((m > 30 && m <= 256))" 1 "more than so many frames are never out"
is "$(($(zc va references_refused) > n))" 1 "the rest was copied"
passes "and so is what goes to others: TCP, 8 MiB" in_a "$TRAFFIC" put $B4 "$PORT" 8 7
let_go peer0
passes "let go, all come back" await "given back" out_is va 0
is "$(in_a ethtool -S eth0 | awk '/host_errors/ { n += $2 } END { print n }')" 0 \
	"the guest's driver found every completion right"
passes "it works as before" answered 20 $B4

in_a ethtool -G eth0 tx 64
await "ping" in_a ping -c1 -W1 $PEER4
hold peer0
big 60 $PEER4
m=$(out va)
is "$((m > 0 && m <= 32))" 1 "small rings: half of the slots are kept for others"
passes "small rings: TCP to others, 32 MiB" in_a "$TRAFFIC" put $B4 "$PORT" 32 8
is "$(out va)" "$m" "small rings: the frames are out still"
let_go peer0 drop
passes "dropped instead of delivered, all come back" await "given back" out_is va 0
in_a ethtool -G eth0 tx 1024

# --------------------------------------------- the owner goes, the frames stay

await "ping" in_a ping -c1 -W1 $PEER4
hold peer0
big 10 $PEER4
kmsg_mark
ip -n ga link set eth0 down
logged 'does not give back what it was lent' "the guest's end goes down: it does not reuse what is out"
ip -n ga link set eth0 up
know_peer ga
await "ping" in_a ping -c1 -W1 $B4
passes "up again, with frames of before out: traffic" in_a "$TRAFFIC" put $B4 "$PORT" 8 9
let_go peer0
await "ping" in_a ping -c1 -W1 $PEER4

hold peer0
big 10 $PEER4
echo vbus-la >/sys/bus/vdpa/drivers/virtio_vdpa/unbind
passes "unbound with frames out: the session ends" await "no session" bus_state la enabled
passes "attached again" side la va ga $A4
big 10 $PEER4
passes "unplugged with frames out" "$VBUS" unplug va
passes "plugged in again" "$VBUS" plug va la
passes "the guest's end is back" side la va ga $A4
big 10 $PEER4
passes "disabled, enabled, with frames out: zerocopy_bytes 0" threshold 0
let_go peer0
passes "the frames leave" await "ping" in_a ping -c1 -W1 $PEER4

# ---------------------------------------------------------------------- off

passes "zerocopy_bytes 0: big datagrams" answered 20 $B4
passes "zerocopy_bytes 0: TCP, 64 MiB" in_a "$TRAFFIC" put $B4 "$PORT" 64 10
is "$(lent va) $(lent vb)" "0 0" "zerocopy_bytes 0: nothing is sent by reference"
passes "zerocopy_bytes 65554" threshold 65554
passes "zerocopy_bytes 65554: TCP, 16 MiB" in_a "$TRAFFIC" put $B4 "$PORT" 16 11
is "$(lent va) $(lent vb)" "0 0" "zerocopy_bytes 65554: nothing is that big"

# ---------------------------------------------------------------- a guest in a VM

passes "zerocopy_bytes 1000 again" threshold 1000
new_bus k0
new_venet k k0 zerocopy_bytes=1000
passes "a guest in a VM starts" guest k -- -device "$(bus_device k0)"
passes "and comes up" guest_up k 4
n=$(lent k)
passes "guest in a VM to guest: TCP, 32 MiB" in_guest k "traffic put $B4 $PORT 32 21"
passes "and the other way" in_guest k "traffic get $B4 $PORT 32 22"
is "$(($(lent k) - n > 300)) $(zc k references_copied)" "1 0" "its frames were sent by reference, none was copied"
is "$(in_guest k "ethtool -S \$(ls /sys/class/net | grep -v lo)" | awk '/host_errors/ { n += $2 } END { print n }')" 0 \
	"its driver found every completion right"
in_guest k "setsid traffic put $B4 $PORT 1000000 23 </dev/null >/dev/null 2>&1 &"
n=$(net_stat k rx_bytes)
await "a stream" moved k rx_bytes "$n" $((4 << 20))
hold vb
some_out() { [[ $(out k) -gt 0 ]]; }
passes "frames are out" await "out" some_out
pid=$(qemu_pid k)
kill -9 "$pid"
passes "SIGKILL of QEMU with frames out: it ends" await "QEMU is gone" qemu_gone "$pid"
passes "the bus is free" await "free" bus_state k0 enabled
passes "no page stays pinned" await "unpinned" nothing_pinned
is "$(($(out k) > 0))" 1 "the frames are out still"
let_go vb
passes "they leave, and others come through" await "ping" in_a ping -c1 -W1 $B4
guest_stop k
"$VBUS" unplug k
"$VBUS" dev del k
"$VBUS" bus disable k0
"$VBUS" bus del k0

# ------------------------------------------------------------ hostile guests

scenario()
{
	timeout 120 "$BUILD/tests/lab/hostile" "$(address h0)" hv0 "$1" 2>&1
}

# hostile SCENARIO WANT LENT NAME: what came of it, and how many more were lent
hostile()
{
	local n
	n=$(lent hv0)
	is "$(scenario "$1"), $(($(lent hv0) - n)) lent" "$2, $3 lent" "$4"
	await "the bus is free" bus_state h0 enabled || ok 1 "$4: the bus is free afterwards"
}

new_bus h0
new_venet hv0 h0 zerocopy_bytes=300
ip link set hv0 nomaster
hostile good "passed passed" 1 "hostile: a guest that behaves"
hostile pieces "passed passed" 2 "hostile: odd lengths, odd addresses, pieces that overlap"
hostile many "passed" 0 "hostile: more pages than a packet has fragments are copied"
hostile ends "error error error error error passed" 1 "hostile: frames that begin in its memory and end outside"
hostile meta "error error error error passed" 1 "hostile: wrong offload information"
hostile headers "done done" 0 "hostile: frames whose headers do not end are copied"
for s in tx_addresses tx_lengths tx_chains tx_endless tx_inline; do
	like "$(scenario $s)" '^(error )+(done )?passed$' "hostile: $s"
	await "the bus is free" bus_state h0 enabled
done
ip link set hv0 master br0
bridge fdb add 02:00:00:00:00:99 dev peer0 master static
hold peer0
hostile out "error" 10 "hostile: its process ends while frames are out"
passes "no page stays pinned though frames are out" await "unpinned" nothing_pinned
hostile stop "error EBUSY EBUSY OK error error EBUSY" 32 "hostile: STOP while frames are out says so"
is "$(out hv0)" 42 "the frames are out still"
"$VBUS" unplug hv0
"$VBUS" dev del hv0
"$VBUS" bus disable h0
"$VBUS" bus del h0
let_go peer0

# ------------------------------------------------------------------- unload

renew
hold peer0
n=$(out va)
big 10 $PEER4
is "$(($(out va) - n))" 10 "frames are out"
rmmod vbus_virtio 2>&1 | comment
for n in a b; do
	"$VBUS" unplug v$n
	"$VBUS" dev del v$n
	await "bus l$n can be disabled" "$VBUS" bus disable l$n
	"$VBUS" bus del l$n
done
is "$(cd "$CFS" && echo buses/* devices/*)" "buses/* devices/*" \
	"devices and buses can be removed while frames are out"
says 1 'in use' "the module cannot be unloaded while frames are out" rmmod vbus_venet
let_go peer0
passes "it can when they are gone" await "unloaded" rmmod vbus_venet

finish
