#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# XDP in guests: what depends on the guest's kernel and on a real connector; the
# rest is in xdp.sh.  Frames are sent and compared on the host.

set -uo pipefail
. tests/lab/lib.sh

XDP=$BUILD/tests/lab/xdp
FRAMES=$BUILD/tests/lab/frames

# names GUEST: its interfaces become g0 and g1
names()
{
	# shellcheck disable=SC2016
	in_guest "$1" 'for d in /sys/bus/vbus/devices/*/net/*; do
		a=$(cat "$d/address")
		ip link set "${d##*/}" name "g${a##*:0}"
		ip link set "g${a##*:0}" up
	done'
	in_guest "$1" "ip addr add 10.79.0.2/24 dev g0"
}

# stat GUEST IFNAME KEY
stat()
{
	in_guest "$1" ethtool -S "$2" | awk -v key="$3:" '$1 == key { print $2 }'
}

stat_is()
{
	[[ $(stat "$1" "$2" "$3") -eq $4 ]]
}

mtu()
{
	for i in 0 1; do
		ip link set "v$i" mtu "$2"
		in_guest "$1" ip link set "g$i" mtu "$2" || return 1
	done
}

# drops_more GUEST BEFORE N: the program has dropped N frames more
drops_more()
{
	[[ $(stat "$1" g0 rx0_xdp_drop) -ge $(($2 + $3)) ]]
}

# flood GUEST TOTAL: signals that 100000 frames took, when the program has dropped TOTAL
flood()
{
	local before
	before=$(lane_stat b0 0 signals)
	"$FRAMES" send v0 100000 60 || return
	await "$2 drops" stat_is "$1" g0 rx0_xdp_drop "$2" || return
	echo $(($(lane_stat b0 0 signals) - before))
}

# xdp_in GUEST WHAT
xdp_in()
{
	local g=$1 what=$2 len word single batched waited endless n
	attach()
	{
		in_guest "$g" xdp attach g0 "$@"
	}

	is "$(attach pass)" OK "$what: attach PASS"
	passes "$what: PASS: TCP to the guest, 32 MiB" in_guest "$g" traffic get 10.79.0.1 $PORT 32 1
	is "$(attach drop)" OK "$what: exchange for DROP"
	passes "$what: DROP: 2000 frames are sent" "$FRAMES" send v0 2000 60
	passes "$what: DROP: exactly those are counted" await "2000 drops" stat_is "$g" g0 rx0_xdp_drop 2000
	echo 0 >$CFS/buses/b0/hold_us
	single=$(flood "$g" 102000)
	ok $? "$what: DROP: a flood, every frame of it"
	# packets come in bursts of 64 of the sender's, on a slow machine 1 to 2 ms apart
	echo 10000 >$CFS/buses/b0/hold_us
	waited=$(lane_stat b0 0 batches)
	batched=$(flood "$g" 202000)
	ok $? "$what: DROP: a flood that is signalled in batches, every frame of it"
	is "$(($(lane_stat b0 0 batches) > waited))" 1 "$what: DROP: ... they are counted"
	note "signals for 100000 frames: $single with hold_us 0, $batched with 10000"
	is "$((batched > 0 && batched * 2 <= single))" 1 "$what: DROP: ... by half as many signals or fewer"
	# a signal that waits for so long, and for so many, waits when the guest is stopped
	in_guest "$g" ethtool -G g0 rx 4096
	"$FRAMES" send v0 $((2 ** 31 - 1)) 60 &
	endless=$!
	for n in 1 2 3 4 5; do
		lab/qmp "$g" stop
		lab/qmp "$g" cont
		# more than the ring has room for
		passes "$what: DROP: it goes on after a pause of the VM, $n" await "the flood" \
			drops_more "$g" "$(stat "$g" g0 rx0_xdp_drop)" 50000
	done
	kill $endless
	wait $endless
	in_guest "$g" ethtool -G g0 rx 1024
	echo 2000 >$CFS/buses/b0/hold_us
	is "$(attach tx swap)" OK "$what: exchange for TX"
	for len in 46 1514; do
		passes "$what: TX: frames of $len bytes" "$FRAMES" probe v0 v0 - 500 $len swap
	done
	is "$(stat "$g" g0 rx0_xdp_tx)" 1000 "$what: TX: exactly those are counted"
	is "$(attach redirect swap to=g1)" OK "$what: exchange for REDIRECT"
	for len in 46 1514; do
		passes "$what: REDIRECT: frames of $len bytes" "$FRAMES" probe v0 v1 - 500 $len swap
	done
	is "$(stat "$g" g0 rx0_xdp_redirect) $(stat "$g" g1 tx0_xdp)" "1000 1000" \
		"$what: REDIRECT: exactly those are counted"
	is "$(stat "$g" g0 rx0_xdp_errors)" 0 "$what: no error so far"
	attach aborted | comment
	"$FRAMES" send v0 100 60
	passes "$what: ABORTED: counted" await "100 errors" stat_is "$g" g0 rx0_xdp_errors 100
	is "$(in_guest "$g" xdp detach g0)" OK "$what: detach"
	passes "$what: MTU 9000" mtu "$g" 9000
	is "$(attach tx swap)" "EINVAL MTU too large for an XDP program without frags" \
		"$what: MTU 9000: a program without frags is refused"
	for word in head=+16 tail=+16 tail=-16; do
		is "$(attach tx swap frags $word)" OK "$what: MTU 9000: TX $word"
		passes "$what: MTU 9000: frames" "$FRAMES" probe v0 v0 - 300 8000 swap $word
	done
	attach redirect swap frags to=g1 | comment
	if [[ $what == 6.1 ]]; then
		# that kernel redirects no frames of several buffers
		"$FRAMES" send v0 100 9014
		passes "$what: MTU 9000: REDIRECT: errors are counted" \
			await "200 errors" stat_is "$g" g0 rx0_xdp_errors 200
	else
		passes "$what: MTU 9000: REDIRECT" "$FRAMES" probe v0 v1 - 300 9014 swap
	fi
	attach pass frags meta | comment
	passes "$what: MTU 9000: PASS: TCP to the guest, 32 MiB" in_guest "$g" traffic get 10.79.0.1 $PORT 32 2
	is "$(in_guest "$g" xdp detach g0)" OK "$what: detach again"
	passes "$what: TCP to the guest, 32 MiB" in_guest "$g" traffic get 10.79.0.1 $PORT 32 3
	mtu "$g" 1500
}

load_host
new_bus b0
for i in 0 1; do
	new_venet "v$i" b0 "mac=02:00:00:00:01:0$i"
done
ip addr add 10.79.0.1/24 dev v0
"$TRAFFIC" serve "$PORT" >/dev/null 2>&1 &
servers+=($!)
for kver in 6.1 6.12; do
	guest g --kver $kver --add "$XDP" -- -device "$(bus_device b0)" || bail "no guest"
	await "two interfaces" guest_nics g 2
	names g
	await "ping" ping -c1 -W1 10.79.0.2
	xdp_in g $kver
	guest_stop g
done
finish
