#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What stands beside a frame: where a tunnel's headers are, and its VLAN tag.  In loop
# mode, the guest's end in namespace g, then in guests, then from a process that does not
# behave (hostile_tunnel.c).
#
# Whether a stream crosses unsegmented is seen by the average length of the frames in
# which it arrives at the other end: each end counts before GRO.

set -uo pipefail
. tests/lab/lib.sh
. tests/lab/loop-lib.sh

# In the tunnels, and VLANs
H4T=10.82.0.1
G4T=10.82.0.2
H6T=fd82::1
G6T=fd82::2
MIB=8
WHOLE=8000	# average that unsegmented packets exceed
CUT=1514	# ... and segments do not; a tag beside it is not counted
# Segments at least that TCP hands down at once: else as many as a millisecond is worth,
# which on a slow machine are two.
TSO=/proc/sys/net/ipv4/tcp_min_tso_segs
SEGMENTS=16

# counts END: bytes and packets that the other end has received
counts()
{
	case $1 in
	guest) echo "$(net_stat v0 rx_bytes) $(net_stat v0 rx_packets)" ;;
	host) echo "$(g_stat rx_bytes) $(g_stat rx_packets)" ;;
	esac
}

# sends END IP MIB: a checked stream from that end to the other
sends()
{
	case $1 in
	guest) in_g "$TRAFFIC" put "$2" "$PORT" "$3" 1 ;;
	host) in_g "$TRAFFIC" get "$2" "$PORT" "$3" 2 ;;
	esac
}

# stream END whole|cut HOST-IP NAME: right, and in frames of that kind
stream()
{
	local bytes packets bytes2 packets2 average
	read -r bytes packets < <(counts "$1")
	passes "$4: $1 sends, every byte right" sends "$1" "$3" $MIB
	read -r bytes2 packets2 < <(counts "$1")
	average=$(((bytes2 - bytes) / (packets2 - packets)))
	if [[ $2 == whole ]]; then
		is "$((average > WHOLE))" 1 "$4: $1 sends, unsegmented" || note "$average bytes a frame"
	else
		is "$((average <= CUT))" 1 "$4: $1 sends, segmented" || note "$average bytes a frame"
	fi
}

# streams KIND-FROM-GUEST KIND-FROM-HOST NAME: by IPv4 and IPv6
streams()
{
	stream guest "$1" $H4T "$3, IPv4"
	stream host "$2" $H4T "$3, IPv4"
	stream guest "$1" $H6T "$3, IPv6"
	stream host "$2" $H6T "$3, IPv6"
}

# what is sent while the guest's queues restart is dropped, and no error
no_errors()
{
	is "$(net_stat v0 rx_errors) $(net_stat v0 tx_errors) $(g_stat rx_errors) $(g_stat tx_errors)" "0 0 0 0" \
		"$1: no errors on either end"
}

# address_of DEV IPV4 IPV6 IP-COMMAND...
address_of()
{
	"${@:4}" addr add "$2/24" dev "$1"
	"${@:4}" addr add "$3/64" dev "$1" nodad
	"${@:4}" link set "$1" up
}

# addresses DEV: of both ends of what goes over them
addresses()
{
	address_of "$1" $H4T $H6T ip
	address_of "$1" $G4T $G6T ip -n g
	await "ping through $1" in_g ping -c1 -W1 $H4T
}

# half_tunnel NETNS LOCAL REMOTE KIND WORD...: t0 in a namespace, "-" is this one
half_tunnel()
{
	local ip=(ip) kind=$4 local=(local "$2" dstport 4789)
	[[ $1 == - ]] || ip+=(-n "$1")
	[[ $kind == vxlan ]] || local=()
	"${ip[@]}" link add t0 type "$kind" id 7 remote "$3" "${local[@]}" "${@:5}"
}

# tunnel KIND 4|6 WORD...: t0 on both ends
tunnel()
{
	local here=H$2 there=G$2
	half_tunnel - "${!here}" "${!there}" "$1" "${@:3}"
	half_tunnel g "${!there}" "${!here}" "$1" "${@:3}"
	addresses t0
}

tunnel_gone()
{
	ip link del t0
	ip -n g link del t0
}

# --------------------------------------------------------------- tunnels

test_tunnels()
{
	local words
	while read -r -a words; do
		needs "${words[0]}" || continue
		tunnel "${words[@]}"
		streams whole whole "${words[*]}"
		tunnel_gone
	done <<-END
		vxlan 4 udpcsum
		vxlan 4 noudpcsum
		vxlan 6 noudp6zerocsumtx
		vxlan 6 udp6zerocsumtx udp6zerocsumrx
		geneve 4 udpcsum
		geneve 4 noudpcsum
		geneve 6 noudp6zerocsumtx
	END
	no_errors tunnels
}

# set_end END FEATURE on|off...
set_end()
{
	case $1 in
	guest) in_g ethtool -K "$nic" "${@:2}" ;;
	host) ethtool -K v0 "${@:2}" ;;
	esac | comment
}

test_tunnels_off()
{
	local feature csum
	for csum in udpcsum noudpcsum; do
		feature=tx-udp_tnl-csum-segmentation
		[[ $csum == udpcsum ]] || feature=tx-udp_tnl-segmentation
		tunnel vxlan 4 $csum
		set_end guest $feature off
		stream guest cut $H4T "guest: $feature off"
		stream host whole $H4T "guest: $feature off"
		set_end guest $feature on
		set_end host $feature off
		stream guest whole $H4T "host: $feature off"
		stream host cut $H6T "host: $feature off"
		set_end host $feature on
		tunnel_gone
	done
	tunnel vxlan 6 noudp6zerocsumtx
	set_end guest rx-gro-hw off
	stream host cut $H4T "guest: rx-gro-hw off, in a tunnel"
	stream guest whole $H4T "guest: rx-gro-hw off, in a tunnel"
	stream host cut $H4 "guest: rx-gro-hw off, without a tunnel"
	is "$(in_g ethtool -k "$nic" | awk '$1 == "rx-gro-hw:" { print $2 }')" off "guest: rx-gro-hw is shown as off"
	set_end guest rx-gro-hw on
	stream host whole $H4 "guest: rx-gro-hw on again, without a tunnel"
	set_end guest rx off
	stream host cut $H4T "guest: rx off"
	set_end guest rx on
	streams whole whole "all on again"
	tunnel_gone
	no_errors "tunnels off and on"
}

# by way of the host to a neighbour whose interface can do less, so that the host's
# stack goes by the headers' offsets; and to a second guest
test_forwarding()
{
	local MIB=4 family csum here there
	modprobe -a bridge veth
	ip addr flush dev v0
	ip link add br0 type bridge mcast_snooping 0
	ip netns add n
	ip link add peer0 type veth peer name eth0 netns n
	ip link set v0 master br0
	ip link set peer0 master br0 up
	ip link set br0 up
	ip -n n link set lo up
	ip -n n addr add $H4/24 dev eth0
	ip -n n addr add $H6/64 dev eth0 nodad
	ip -n n link set eth0 up
	# as tunnels of the peer would arrive from a wire
	ip netns exec n ethtool -K eth0 gro on tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off | comment
	ip netns exec n "$TRAFFIC" serve "$PORT" >/dev/null 2>&1 &
	servers+=($!)
	await "ping through the bridge" in_g ping -c1 -W1 $H4
	while read -r family csum; do
		here=H$family
		there=G$family
		half_tunnel g "${!there}" "${!here}" vxlan "$csum"
		half_tunnel n "${!here}" "${!there}" vxlan "$csum"
		address_of t0 $G4T $G6T ip -n g
		address_of t0 $H4T $H6T ip -n n
		await "ping through bridge and tunnel" in_g ping -c1 -W1 $H4T
		ethtool -K peer0 tso off tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off | comment
		stream guest whole $H4T "$csum: forwarded by the host, which segments"
		stream guest whole $H6T "$csum: forwarded by the host, which segments"
		ethtool -K peer0 tso on tx-udp_tnl-segmentation on tx-udp_tnl-csum-segmentation on | comment
		stream guest whole $H4T "$csum: forwarded by the host, unsegmented"
		passes "$csum: from the neighbour" sends host $H4T $MIB
		ip -n n link del t0
		ip -n g link del t0
	done <<-END
		4 udpcsum
		4 noudpcsum
		6 noudp6zerocsumtx
	END
	ip link del br0
	ip netns del n
	readdress
	await "ping" in_g ping -c1 -W1 $H4
}

# first: frames that the host's sockets copy after all are soon not lent any more
test_zerocopy()
{
	local before after
	tunnel vxlan 4 udpcsum
	before=$(ethtool_stat guest_sent_by_reference ethtool -S v0)
	passes "tunnel: frames of the size that may be lent" sends guest $H4T 64
	after=$(ethtool_stat guest_sent_by_reference ethtool -S v0)
	is "$((after > before))" 1 "tunnel: frames of that kind are lent"
	tunnel_gone
}

# ------------------------------------------------------------------ VLANs

# vlan PROTO: v5, of both ends, with priorities
vlan()
{
	ip link add v5 link v0 type vlan protocol "$1" id 5 egress-qos-map 0:5
	ip -n g link add v5 link "$nic" type vlan protocol "$1" id 5 egress-qos-map 0:3
	addresses v5
}

vlan_gone()
{
	ip link del v5
	ip -n g link del v5
}

# length END: of each of 20 packets of ping of 1000 bytes, as the other end counts; a
# packet in between means that it has to be done again
length()
{
	local try bytes packets bytes2 packets2
	for ((try = 0; try < 10; try++)); do
		read -r bytes packets < <(settled counts "$1")
		in_g ping -q -c 20 -i 0.01 -s 1000 -W 20 $H4T >/dev/null || return
		read -r bytes2 packets2 < <(settled counts "$1")
		[[ $((packets2 - packets)) -ne 20 ]] || break
	done
	echo "$(((bytes2 - bytes) / 20))"
}

# tags FROM-GUEST FROM-HOST NAME: "beside" or "in" the frame
tags()
{
	local want=()
	[[ $1 == beside ]] && want+=(1042) || want+=(1046)
	[[ $2 == beside ]] && want+=(1042) || want+=(1046)
	is "$(length guest) $(length host)" "${want[*]}" "$3: tags are $1 the guest's frames, $2 the host's"
	is "$(python3 tests/lab/tags.py g v5 - v0) $(python3 tests/lab/tags.py - v5 g "$nic")" \
		"$tpid:6005 $tpid:a005" "$3: tags arrive with their priority"
}

test_vlan()
{
	local proto tpid tx rx
	needs 8021q || return
	for proto in 802.1Q 802.1ad; do
		tpid=8100
		tx=tx-vlan-hw-insert
		rx=rx-vlan-hw-parse
		if [[ $proto == 802.1ad ]]; then
			tpid=88a8
			tx=tx-vlan-stag-hw-insert
			rx=rx-vlan-stag-hw-parse
		fi
		vlan $proto
		tags beside beside "$proto"
		stream guest whole $H4T "$proto"
		stream host whole $H6T "$proto"
		set_end guest $tx off
		tags "in" beside "$proto: guest: $tx off"
		set_end guest $tx on
		set_end host $tx off
		tags beside "in" "$proto: host: $tx off"
		stream host whole $H4T "$proto: host: $tx off"
		set_end host $tx on
		set_end guest $rx off
		tags beside "in" "$proto: guest: $rx off"
		set_end guest $rx on
		set_end host $rx off
		tags beside beside "$proto: host: $rx off"
		stream guest whole $H4T "$proto: host: $rx off"
		set_end host $rx on
		tags beside beside "$proto: all on again"
		vlan_gone
	done
	# the short names
	set_end guest txvlan off rxvlan off
	set_end host txvlan off rxvlan off
	is "$(in_g ethtool -k "$nic" | grep -cE '^[rt]x-vlan-offload: off') $(ethtool -k v0 | grep -cE '^[rt]x-vlan-offload: off')" \
		"2 2" "ethtool -K txvlan off, rxvlan off: on both ends"
	tpid=8100
	vlan 802.1Q
	tags "in" "in" "txvlan off, rxvlan off"
	set_end guest txvlan on rxvlan on
	set_end host txvlan on rxvlan on
	# two tags: one is beside the frame; and a tunnel in a VLAN
	ip link add v6 link v5 type vlan id 6
	ip -n g link add v6 link v5 type vlan id 6
	ip link set v6 up
	ip -n g link set v6 up
	is "$(python3 tests/lab/tags.py g v6 - v0)" "8100:6005+8100" "two tags arrive, guest to host"
	is "$(python3 tests/lab/tags.py - v6 g "$nic")" "8100:a005+8100" "two tags arrive, host to guest"
	ip link del v6
	ip -n g link del v6
	ip link add t0 type vxlan id 7 local $H4T remote $G4T dstport 4789 udpcsum
	ip -n g link add t0 type vxlan id 7 local $G4T remote $H4T dstport 4789 udpcsum
	ip addr add 10.83.0.1/24 dev t0
	ip link set t0 up
	ip -n g addr add 10.83.0.2/24 dev t0
	ip -n g link set t0 up
	await "ping" in_g ping -c1 -W1 10.83.0.1
	stream guest whole 10.83.0.1 "VXLAN in a VLAN"
	stream host whole 10.83.0.1 "VXLAN in a VLAN"
	set_end guest txvlan off
	set_end host txvlan off
	stream guest whole 10.83.0.1 "VXLAN in a VLAN, txvlan off"
	stream host whole 10.83.0.1 "VXLAN in a VLAN, txvlan off"
	set_end guest txvlan on
	set_end host txvlan on
	tunnel_gone
	vlan_gone
	no_errors VLANs
}

# ----------------------------------------------------------------- guests

# guest_counts: bytes and packets that the guest has received
guest_counts()
{
	# shellcheck disable=SC2016
	in_guest a 'cd /sys/bus/vbus/devices/*/net/*/statistics && echo $(cat rx_bytes rx_packets)'
}

# unsegmented COMMAND-OF-COUNTS NAME CMD...: it works, in unsegmented frames
unsegmented()
{
	local bytes packets bytes2 packets2
	read -r bytes packets < <($1)
	passes "$2: every byte right" "${@:3}"
	read -r bytes2 packets2 < <($1)
	is "$(((bytes2 - bytes) / (packets2 - packets) > WHOLE))" 1 "$2: unsegmented" ||
		note "$((bytes2 - bytes)) bytes in $((packets2 - packets)) frames"
}

host_counts()
{
	echo "$(net_stat tv0 rx_bytes) $(net_stat tv0 rx_packets)"
}

test_guest()
{
	local MIB=4 kver=$1 ifname
	guest a --kver "$kver" -- -device "$(bus_device b0)" || bail "no guest"
	await "the guest sees its device" guest_nics a 1
	ifname=$(guest_nics a 1)
	in_guest a "echo $SEGMENTS >$TSO; ip addr add 10.84.0.2/24 dev $ifname; ip link set $ifname up
		modprobe -a vxlan 8021q
		ip link add t0 type vxlan id 7 local 10.84.0.2 remote 10.84.0.1 dstport 4789 udpcsum
		ip addr add 10.85.0.2/24 dev t0; ip addr add fd85::2/64 dev t0 nodad; ip link set t0 up
		ip link add v5 link $ifname type vlan id 5
		ip addr add 10.86.0.2/24 dev v5; ip link set v5 up"
	await "ping" ping -c1 -W1 10.84.0.2
	await "ping through the tunnel" ping -c1 -W1 10.85.0.2
	await "ping through the VLAN" ping -c1 -W1 10.86.0.2
	unsegmented host_counts "$kver: VXLAN, IPv4, guest to host" in_guest a traffic put 10.85.0.1 $PORT $MIB 1
	unsegmented guest_counts "$kver: VXLAN, IPv4, host to guest" in_guest a traffic get 10.85.0.1 $PORT $MIB 2
	unsegmented host_counts "$kver: VXLAN, IPv6, guest to host" in_guest a traffic put fd85::1 $PORT $MIB 3
	unsegmented guest_counts "$kver: VXLAN, IPv6, host to guest" in_guest a traffic get fd85::1 $PORT $MIB 4
	unsegmented host_counts "$kver: VLAN, guest to host" in_guest a traffic put 10.86.0.1 $PORT $MIB 5
	unsegmented guest_counts "$kver: VLAN, host to guest" in_guest a traffic get 10.86.0.1 $PORT $MIB 6
	in_guest a "ethtool -K $ifname rxvlan off txvlan off rx-gro-hw off"
	passes "$kver: all off: VLAN, guest to host" in_guest a traffic put 10.86.0.1 $PORT $MIB 7
	passes "$kver: all off: VXLAN, host to guest" in_guest a traffic get 10.85.0.1 $PORT $MIB 8
	is "$(net_stat tv0 rx_errors) $(net_stat tv0 tx_errors)" "0 0" "$kver: no errors"
	guest_stop a
}

test_guests()
{
	local kver
	new_bus b0
	new_venet tv0 b0
	ip addr add 10.84.0.1/24 dev tv0
	ip link add t1 type vxlan id 7 local 10.84.0.1 remote 10.84.0.2 dstport 4789 udpcsum
	ip addr add 10.85.0.1/24 dev t1
	ip addr add fd85::1/64 dev t1 nodad
	ip link set t1 up
	ip link add tv0.5 link tv0 type vlan id 5
	ip addr add 10.86.0.1/24 dev tv0.5
	ip link set tv0.5 up
	for kver in 6.12 6.1; do
		test_guest $kver
	done
}

# ---------------------------------------------------------------- hostile

# hostile SCENARIO WANT NAME
hostile()
{
	is "$(timeout 120 "$BUILD/tests/lab/hostile" "$(address b0)" tv0 "$1" 2>&1)" "$2" "$3"
	await "the bus is free" bus_state b0 enabled || ok 1 "$3: the bus is free afterwards"
}

test_hostile()
{
	hostile tunnel "whole whole passed" "hostile: a tunnel that is as it should be arrives whole, over IPv4 and IPv6"
	hostile not_agreed "error error error passed" "hostile: tunnels and tags that were not agreed on"
	hostile flags "error error error error error error passed" "hostile: flags that there are not, two tags in one"
	hostile offsets "all refused, passed" "hostile: every offset but the right one"
	hostile tunnel_headers "all refused, passed" "hostile: headers that are others than the descriptor says"
	hostile tags "8100:a005 88a8:ffff passed" "hostile: tags arrive as they were told"
	# what gets through comes to the host's own tunnel, and to an interface for which
	# the host's stack has to segment it
	modprobe dummy numdummies=0
	ip link add br1 type bridge mcast_snooping 0
	ip link add sink type dummy
	ethtool -K sink tx off tso off gso off sg off >/dev/null
	ip link set sink master br1 up
	ip addr flush dev tv0
	ip addr add 10.84.0.1/24 dev br1
	ip link set tv0 master br1
	ip link set br1 up
	hostile random survived "hostile: random headers and descriptors of tunnels"
	is "$(($(net_stat sink tx_packets) > 1000))" 1 "hostile: ... of which many get through, and are segmented" ||
		note "$(net_stat sink tx_packets) packets"
	ip link del br1
	ip link del sink
	hostile tunnel "whole whole passed" "hostile: after that a tunnel still arrives"
	ip link del t1
	ip link del tv0.5
}

start_loop pairs=2
echo $SEGMENTS >$TSO
in_g sh -c "echo $SEGMENTS >$TSO"
test_zerocopy
test_tunnels
test_tunnels_off
test_vlan
test_forwarding
test_guests
test_hostile
finish
