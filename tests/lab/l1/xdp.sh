#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# XDP in the guest's driver, in loop mode: two devices, whose guest's ends g0 and g1
# are in namespace g.  Programs are made by xdp.c and apply to frames of one
# ethertype only, which frames.c sends, and compares when they are back.

set -uo pipefail
. tests/lab/lib.sh

XDP=$BUILD/tests/lab/xdp
FRAMES=$BUILD/tests/lab/frames
H4=10.79.0.1
G4=10.79.0.2

in_g()
{
	ip netns exec g "$@"
}

# guest_end NAME MAC: the guest's end with that address is NAME in namespace g
guest_end()
{
	local path
	for path in /sys/bus/vbus/devices/*/net/*; do
		[[ $(cat "$path/address" 2>/dev/null) == "$2" ]] || continue
		ip link set "$(basename "$path")" name "$1" netns g
		return
	done
	return 1
}

# device N: vN and gN
device()
{
	"$VBUS" plug "v$1" l0 &&
		await "g$1" guest_end "g$1" "02:00:00:00:01:0$1" &&
		ip -n g link set "g$1" up &&
		ip link set "v$1" up &&
		await "v$1 has carrier" grep -qx 1 "/sys/class/net/v$1/carrier"
}

addresses()
{
	ip -n g addr replace $G4/24 dev g0
	ip addr replace $H4/24 dev v0
	await "ping" in_g ping -c1 -W1 $H4
}

# stat KEY [IFNAME]: of all queues of g0, such as rx_xdp_drop
stat()
{
	in_g ethtool -S "${2:-g0}" | awk -v half="${1%%_*}" -v key="${1#*_}:" '
		{ name = $1; sub("^" half "[0-9]+_", "", name) }
		name != $1 && name == key { n += $2 }
		END { print n + 0 }'
}

stat_is()
{
	[[ $(stat "$1" "${3:-g0}") -eq $2 ]]
}

attach()
{
	in_g "$XDP" attach g0 "$@"
}

detach()
{
	in_g "$XDP" detach g0
}

# probe NAME FROM NETNS COUNT LEN [WORD...]: by way of v0
probe()
{
	passes "$1" "$FRAMES" probe v0 "${@:2}"
}

mtu()
{
	for i in 0 1; do
		ip link set "v$i" mtu "$1" && ip -n g link set "g$i" mtu "$1" || return 1
	done
}

stream()
{
	passes "$1: TCP to the guest side, $2 MiB" in_g "$TRAFFIC" get $H4 "$PORT" "$2" 1
	passes "$1: TCP from the guest side, $2 MiB" in_g "$TRAFFIC" put $H4 "$PORT" "$2" 2
}

load_host
load_loop
ip netns add g
ip -n g link set lo up
new_bus l0 2
"$VBUS" dev add venet/v0 pairs=2 mac=02:00:00:00:01:00 || bail "no device v0"
"$VBUS" dev add venet/v1 pairs=1 mac=02:00:00:00:01:01 || bail "no device v1"
loop_attach l0
await "attached" bus_state l0 attached || bail "not attached"
for i in 0 1; do
	sysctl -qw "net.ipv6.conf.v$i.disable_ipv6=1"
	device $i || bail "no interface g$i"
done
addresses || bail "no connection"
"$TRAFFIC" serve "$PORT" >/dev/null 2>&1 &
servers+=($!)

# ----------------------------------------------------------- single actions

probe "no program: frames arrive" g0 g 200 1514
is "$(attach pass)" OK "a program is attached in native mode"
like "$(in_g ip link show g0)" ' xdp ' "ip link says so"
probe "PASS: frames arrive, the shortest" g0 g 1000 46
probe "PASS: frames arrive, the longest" g0 g 1000 1514
stream "PASS" 16
is "$(attach drop)" OK "a program is exchanged for another"
passes "DROP: 5000 frames are sent" "$FRAMES" send v0 5000 60
passes "DROP: exactly those are counted" await "5000 drops" stat_is rx_xdp_drop 5000
passes "DROP: other traffic passes" in_g ping -c 3 -W 20 $H4
is "$(stat rx_xdp_drop)" 5000 "DROP: and is not counted"
is "$(attach tx swap)" OK "attach TX"
for len in 46 256 257 1514; do
	probe "TX: frames of $len bytes come back" v0 - 1000 $len swap
done
is "$(stat rx_xdp_tx) $(stat tx_xdp)" "4000 4000" "TX: exactly those are counted"
is "$(attach redirect swap to=g1)" OK "attach REDIRECT"
for len in 46 1514; do
	probe "REDIRECT: frames of $len bytes come out of the other device" v1 - 1000 $len swap
done
is "$(stat rx_xdp_redirect) $(stat tx_xdp g1)" "2000 2000" "REDIRECT: exactly those are counted"
is "$(stat rx_xdp_errors)" 0 "no error so far"
trace=/sys/kernel/tracing/events/xdp/xdp_exception
exceptions()
{
	sed -n 's/.*Hits: *//p' "$trace/hist"
}
has_exceptions()
{
	[[ $(exceptions) -eq $1 ]]
}
echo 'hist:keys=act' >$trace/trigger
attach aborted | comment
"$FRAMES" send v0 300 60
passes "ABORTED: exactly those are counted" await "300 errors" stat_is rx_xdp_errors 300
passes "ABORTED: and traced" has_exceptions 300
attach 7 | comment
"$FRAMES" send v0 100 60
passes "an action that is none: counted" await "400 errors" stat_is rx_xdp_errors 400
passes "an action that is none: traced" has_exceptions 400
echo '!hist:keys=act' >$trace/trigger
ip -n g link set g1 down
is "$(attach redirect swap to=g1)" OK "REDIRECT to a device that is down"
"$FRAMES" send v0 100 60
passes "... counts errors" await "500 errors" stat_is rx_xdp_errors 500
ip -n g link set g1 up

# ------------------------------------------------- what programs do to frames

for word in head=+16 head=-16 tail=+16 tail=-16; do
	is "$(attach pass $word)" OK "attach PASS $word"
	probe "PASS: $word" g0 g 300 1000 $word
	is "$(attach tx swap $word)" OK "attach TX $word"
	probe "TX: $word" v0 - 300 1000 swap $word
done
ip netns exec g "$XDP" check-meta g0 >/tmp/check-meta 2>&1 &
check=$!
passes "ingress drops what has no metadata" await "the check" grep -q OK /tmp/check-meta
attach pass | comment
"$FRAMES" send v0 10 60
fails_soon()
{
	! timeout 3 "$FRAMES" probe v0 g0 g 10 60
}
passes "PASS without metadata: they do not arrive" fails_soon
is "$(attach pass meta)" OK "attach PASS with metadata"
probe "PASS: metadata reaches the ingress hook" g0 g 300 60
is "$(attach pass meta head=+16)" OK "attach PASS with metadata and more head"
probe "PASS: so it does with a longer frame" g0 g 300 1000 head=+16
kill $check
wait $check

# --------------------------------------------------- offloads, MTU, fragments

errors=$(stat rx_xdp_errors)
before=$(stat rx_packets)
passes "a stream to the guest side" in_g "$TRAFFIC" get $H4 "$PORT" 16 3
packets=$(($(stat rx_packets) - before))
is "$((packets >= (16 << 20) / 1460))" 1 "with a program the host segments, $packets packets"
is "$(detach)" OK "detach"
like "$(in_g ip link show g0)" '^[^x]*$' "ip link says so"
before=$(stat rx_packets)
passes "a stream to the guest side" in_g "$TRAFFIC" get $H4 "$PORT" 16 4
packets=$(($(stat rx_packets) - before))
is "$((packets < (16 << 20) / 2920))" 1 "without one it does not, $packets packets"
passes "MTU 9000" mtu 9000
is "$(attach pass)" "EINVAL MTU too large for an XDP program without frags" \
	"MTU 9000: a program without frags is refused"
probe "MTU 9000: nothing has changed" g0 g 200 9014
is "$(attach pass frags)" OK "MTU 9000: one with frags is not"
for len in 46 3520 3521 9014; do
	probe "PASS: frames of $len bytes" g0 g 300 $len
done
stream "PASS, MTU 9000" 64
is "$(attach pass)" "EINVAL MTU too large for an XDP program without frags" \
	"MTU 9000: exchange for one without frags is refused"
attach tx frags swap | comment
for len in 3520 3521 9014; do
	probe "TX: frames of $len bytes" v0 - 300 $len swap
done
for word in head=+16 head=-16 tail=+16 tail=-16; do
	attach tx frags swap $word | comment
	probe "TX: $word of a frame of several buffers" v0 - 300 8000 swap $word
done
attach redirect frags swap to=g1 | comment
probe "REDIRECT: frames of 9014 bytes" v1 - 300 9014 swap
attach pass frags meta head=+16 | comment
probe "PASS: metadata and head of a frame of several buffers" g0 g 300 8000 head=+16
attach drop frags | comment
drops=$(stat rx_xdp_drop)
passes "DROP: 1000 frames of 9014 bytes are sent" "$FRAMES" send v0 1000 9014
passes "DROP: exactly those are counted" await "1000 drops" stat_is rx_xdp_drop $((drops + 1000))
passes "MTU 1500 while a program is attached" mtu 1500
is "$(attach pass)" OK "MTU 1500: a program without frags"
like "$(ip -n g link set g0 mtu 9000 2>&1)" 'greater than device maximum' \
	"MTU 9000 is refused while it is attached"
is "$(stat rx_xdp_errors)" "$errors" "no error so far"
ip link set v0 mtu 9000
"$FRAMES" send v0 100 9014
passes "frames beyond the MTU are not for it: counted as errors" \
	await "100 errors" stat_is rx_xdp_errors $((errors + 100))
mtu 1500
detach | comment
ip -n g link set g0 mtu 65535
is "$(attach pass frags)" "EINVAL MTU too large for XDP" "MTU 65535 is refused with frags too"
mtu 1500

# ------------------------------------------------------------- under load

is "$(attach pass)" OK "attach PASS"
in_g "$XDP" flip g0 300 >/tmp/flip 2>&1 &
flip=$!
probe "programs change under load: no frame is lost" g0 g 15000 1000
wait $flip
is "$(cat /tmp/flip)" OK "they did, 300 times"
detach | comment
for way in put get; do
	in_g "$TRAFFIC" $way $H4 "$PORT" 512 5 >/tmp/stream.$way 2>&1 &
done
during=0
for ((i = 0; i < 10; i++)); do
	[[ $(attach pass) == OK && $(detach) == OK ]] || break
	# a stream says nothing before its end
	[[ -s /tmp/stream.put || -s /tmp/stream.get ]] || during=$((during + 1))
done
is "$i" 10 "ten times attached and detached"
note "$during of them while both streams ran"
is "$((during >= 4))" 1 "... in the middle of the streams"
streams_are_right()
{
	[[ $(cat /tmp/stream.* | grep -c '^536870912 of 536870912') -eq 2 ]]
}
passes "... both ways, every byte right" await "two streams" streams_are_right
attach tx swap | comment
passes "TX: one queue pair" in_g ethtool -L g0 combined 1
probe "TX: one queue pair, frames" v0 - 500 1000 swap
passes "TX: two queue pairs" in_g ethtool -L g0 combined 2
passes "TX: rings of 64" in_g ethtool -G g0 rx 64 tx 64
probe "TX: two queue pairs and rings of 64, frames" v0 - 1000 1000 swap
passes "down and up with a program" sh -c "ip -n g link set g0 down && ip -n g link set g0 up"
await "v0 has carrier" grep -qx 1 /sys/class/net/v0/carrier
probe "down and up: the program is still there" v0 - 500 1000 swap
attach redirect swap to=g1 | comment
"$FRAMES" send v0 500 1000
passes "unplugged with a program, and frames on their way" "$VBUS" unplug v0
gone()
{
	! ip -n g link show g0
}
await "g0 is gone" gone
passes "it is plugged in again" device 0
probe "and has no program" g0 g 200 1000

finish
