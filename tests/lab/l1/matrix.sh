#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Checked streams of each combination of TCP segmentation, checksum, MTU, zero-copy
# and IP version, with no packet dropped or in error.
#
# One guest with four NICs, each in a namespace n0 .. n3 of it; on the host v0 and v1
# are ports of br0, v2 and v3 of br1.  So a stream crosses two devices, as it does
# between two guests: where the host itself receives, frames are copied after all.
# v0 and v1 send every frame by reference that they can, v2 and v3 copy all.

set -uo pipefail
. tests/lab/lib.sh

MB=${VBUS_MATRIX_MB:-16}
GUEST_SECONDS=$((120 + MB))
d=$CFS/devices/venet

# new_nic N: in bridge and namespace
new_nic()
{
	local zerocopy=$(($1 < 2 ? 1000 : 0))
	mkdir -p "$d/v$1" || bail "no device"
	echo "02:00:00:00:78:0$1" >"$d/v$1/mac"
	echo $zerocopy >"$d/v$1/zerocopy_bytes"
	"$VBUS" plug "v$1" b0 || bail "cannot plug v$1"
	echo 1 >"$d/v$1/enable"
	sysctl -qw "net.ipv6.conf.v$1.disable_ipv6=1"
	ip link set "v$1" master "br$(($1 / 2))" up
}

# in_ns N CMD: a shell command in namespace nN of the guest
in_ns()
{
	in_guest a "ip netns exec n$1 sh -c '$2'"
}

# guest_nic N: to its namespace, as eth0
guest_nic()
{
	in_guest a "d=\$(grep -l 02:00:00:00:78:0$1 /sys/class/net/*/address) && nic=\$(basename \${d%/address}) &&
		ip netns add n$1 && ip link set \$nic netns n$1 && ip -n n$1 link set \$nic name eth0 &&
		ip -n n$1 link set lo up && ip -n n$1 link set eth0 up &&
		ip -n n$1 addr add 10.78.$1.2/16 dev eth0 &&
		ip -n n$1 addr add fd78::$1:2/64 dev eth0 nodad"
}

# lost PAIR: what either end of its NICs dropped or found in error
lost()
{
	local n
	for n in $1 $(($1 + 1)); do
		cat /sys/class/net/"v$n"/statistics/{rx,tx}_{dropped,errors}
		in_ns "$n" "cd /sys/class/net/eth0/statistics; cat rx_dropped rx_errors tx_dropped tx_errors"
	done | paste -sd' '
}

by_reference()
{
	ethtool -S "v$1" | awk '$1 == "guest_sent_by_reference:" { print $2 }'
}

# offloads PAIR TSO CHECKSUM: of both ends; without checksums there is no segmentation
offloads()
{
	local n tso="tso $2"
	[[ $3 == on ]] || tso=
	for n in $1 $(($1 + 1)); do
		in_ns "$n" "ethtool -K eth0 tx $3 rx $3 $tso" >/dev/null &&
			ethtool -K "v$n" tx "$3" $tso >/dev/null || return
	done
}

# offloads_are PAIR TSO CHECKSUM
offloads_are()
{
	local n tso=$2
	[[ $3 == on ]] || tso=off
	for n in $1 $(($1 + 1)); do
		[[ $(in_ns "$n" "ethtool -k eth0" | shown) == "$3 $tso" &&
			$(ethtool -k "v$n" | shown) == "$3 $tso" ]] || return
	done
}

# checksum and TSO, as ethtool -k shows them
shown()
{
	awk '$1 == "tx-checksumming:" || $1 == "tcp-segmentation-offload:" { print $2 }' | paste -sd' '
}

mtu_is()
{
	[[ $(in_ns "$1" "cat /sys/class/net/eth0/mtu") -eq $2 ]]
}

# mtu PAIR MTU
mtu()
{
	local n
	for n in $1 $(($1 + 1)); do
		ip link set "v$n" mtu "$2"
		await "the guest's MTU" mtu_is "$n" "$2" || return
	done
	ip link set "br$(($1 / 2))" mtu "$2"
}

modprobe bridge
load_host
new_bus b0
for n in 0 1; do
	ip link add br$n type bridge mcast_snooping 0
	sysctl -qw net.ipv6.conf.br$n.disable_ipv6=1
	ip link set br$n up
done
for n in 0 1 2 3; do
	new_nic $n
done
guest a --smp 2 -- -device "$(bus_device b0)" || bail "no guest"
await "the guest sees its devices" guest_nics a 4 || bail "no devices"
for n in 0 1 2 3; do
	guest_nic $n || bail "no NIC $n in the guest"
done
for pair in 0 2; do
	await "ping" in_ns $pair "ping -c1 -W1 10.78.$((pair + 1)).2" || bail "no traffic between $pair and its neighbour"
	in_ns $((pair + 1)) "setsid traffic serve $PORT </dev/null >/dev/null 2>&1 &"
done

for pair in 0 2; do
	for mtu in 1500 9000 65535; do
		mtu $pair $mtu
		for checksum in on off; do
			for tso in on off; do
				what="$([[ $pair -eq 0 ]] && echo "by reference" || echo copied), MTU $mtu, checksum $checksum, TSO $tso"
				offloads $pair $tso $checksum
				passes "$what: set on all ends" offloads_are $pair $tso $checksum
				lost=$(lost $pair)
				lent=$(by_reference $pair)
				for host in "10.78.$((pair + 1)).2" "fd78::$((pair + 1)):2"; do
					passes "$what: $MB MiB each way to $host" in_ns $pair \
						"traffic put $host $PORT $MB 1 && traffic get $host $PORT $MB 2"
				done
				is "$(lost $pair)" "$lost" "$what: nothing is dropped or in error"
				is "$(($(by_reference $pair) > lent))" $((pair == 0)) "$what: so was it sent"
			done
		done
	done
done

in_guest a 'killall traffic'
ip link del br1
finish
