#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The two ends as parts of the network stack, in loop mode: bridges, VLANs, bonds,
# tunnels, shapers and filters on top of either; and what an administrator may
# change is changed while checked streams run, which must resume by themselves.

set -uo pipefail
. tests/lab/lib.sh
. tests/lab/loop-lib.sh

plain_again()
{
	readdress
	passes "$1: then a plain link again" await "ping" in_g ping -c1 -W1 $H4
}

unreachable()
{
	! in_g ping -c 2 -W 1 "$1"
}

# --------------------------------------------------------------- host's end

# v0 in a bridge with VLANs: untagged is 10; 20 comes tagged
test_bridge()
{
	needs bridge veth 8021q || return
	ip addr flush dev v0
	peer 1500
	ip link set br0 type bridge vlan_filtering 1
	ip link set v0 master br0
	ip -n g addr flush dev "$nic"
	ip -n g addr add 10.77.0.2/24 dev "$nic"
	bridge vlan del dev v0 vid 1
	bridge vlan del dev peer0 vid 1
	bridge vlan add dev v0 vid 10 pvid untagged
	bridge vlan add dev peer0 vid 10 pvid untagged
	passes "bridge with VLANs: ping through it" await "ping" in_g ping -c1 -W1 $PEER4
	passes "bridge with VLANs: 32 MiB through it" in_g "$TRAFFIC" put $PEER4 "$PORT" 32 1
	passes "bridge with VLANs: 32 MiB back" in_g "$TRAFFIC" get $PEER4 "$PORT" 32 2
	bridge vlan add dev v0 vid 20
	bridge vlan add dev peer0 vid 20
	peer_run ip link add eth0.20 link eth0 type vlan id 20
	peer_run ip addr add 10.20.0.1/24 dev eth0.20
	peer_run ip link set eth0.20 up
	ip -n g link add vl20 link "$nic" type vlan id 20
	ip -n g addr add 10.20.0.2/24 dev vl20
	ip -n g link set vl20 up
	passes "bridge with VLANs: VLAN 20, tagged by both ends" await "ping" in_g ping -c1 -W1 10.20.0.1
	passes "bridge with VLANs: 32 MiB in VLAN 20" in_g "$TRAFFIC" put 10.20.0.1 "$PORT" 32 3
	bridge vlan del dev v0 vid 20
	passes "bridge with VLANs: VLAN 20 ends where the port has it not" unreachable 10.20.0.1
	ip -n g link del vl20
	ip link set v0 nomaster
	ip link del br0
	ip netns del peer
	ip -n g addr flush dev "$nic"
	plain_again "bridge"
}

test_host_macvlan()
{
	needs macvlan || return
	ip netns add m
	ip link add mv0 link v0 netns m type macvlan mode bridge
	ip -n m addr add 10.79.0.3/24 dev mv0
	ip -n m link set mv0 up
	server m
	passes "macvlan on the host's end: ping" await "ping" in_g ping -c1 -W1 10.79.0.3
	passes "macvlan on the host's end: 32 MiB" in_g "$TRAFFIC" put 10.79.0.3 "$PORT" 32 1
	passes "macvlan on the host's end: 32 MiB back" in_g "$TRAFFIC" get 10.79.0.3 "$PORT" 32 2
	pkill -P "${servers[-1]}" traffic
	kill "${servers[-1]}"
	wait "${servers[-1]}" 2>/dev/null
	unset 'servers[-1]'
	ip -n m link del mv0
	ip netns del m
	plain_again "macvlan"
}

# what the host's qdisc has sent
tc_bytes()
{
	tc -s qdisc show dev v0 root | awk '$1 == "Sent" { print $2; exit }'
}

police_drops()
{
	tc -s filter show dev v0 ingress | sed -n 's/.*dropped \([0-9]*\),.*/\1/p' | head -n1
}

test_tc()
{
	needs sch_tbf sch_fq sch_ingress act_police cls_matchall || return
	tc qdisc replace dev v0 root tbf rate 200mbit burst 256k latency 200ms
	passes "tc tbf on the host's end: 16 MiB to the guest" in_g "$TRAFFIC" get $H4 "$PORT" 16 1
	is $(($(tc_bytes) >= 16 << 20)) 1 "tc tbf: they passed it"
	tc qdisc replace dev v0 root fq
	passes "tc fq on the host's end: 32 MiB to the guest" in_g "$TRAFFIC" get $H4 "$PORT" 32 2
	is $(($(tc_bytes) >= 32 << 20)) 1 "tc fq: they passed it"
	tc qdisc del dev v0 root
	tc qdisc add dev v0 ingress
	tc filter add dev v0 ingress matchall action police rate 50mbit burst 128k mtu 64k conform-exceed drop
	passes "tc police on the host's end: 4 MiB from the guest" in_g "$TRAFFIC" put $H4 "$PORT" 4 3
	like "$(police_drops)" '^[1-9][0-9]*$' "tc police: it dropped what was too fast"
	tc qdisc del dev v0 ingress
	in_g tc qdisc replace dev "$nic" root fq
	passes "tc fq on the guest's end: 32 MiB to the host" in_g "$TRAFFIC" put $H4 "$PORT" 32 4
	in_g tc qdisc del dev "$nic" root
	both_ways "without tc" 16
}

nft_packets()
{
	nft list counter netdev lab "$1" | awk '$1 == "packets" { print $2 }'
}

nft_refused()
{
	[[ $(nft_packets refused) -eq 1 ]]
}

test_nft()
{
	needs nf_tables || return
	nft -f - <<-'END'
		table netdev lab {
			counter pings { }
			counter refused { }
			chain in {
				type filter hook ingress device "v0" priority 0;
				icmp type echo-request counter name pings
				ip protocol udp udp dport 7000 counter name refused drop
			}
		}
	END
	passes "nftables on the host's end: ping" in_g ping -c 5 -W 20 -i 0.1 $H4
	is "$(nft_packets pings)" 5 "nftables: each was counted"
	in_g sh -c "printf x | socat -u - UDP:$H4:$PORT"
	passes "nftables: what is to be dropped is counted" await "refused" nft_refused
	passes "nftables: 32 MiB beside it" in_g "$TRAFFIC" put $H4 "$PORT" 32 1
	nft delete table netdev lab
}

test_vxlan()
{
	needs vxlan || return
	ip link add vx0 type vxlan id 7 local $H4 remote $G4 dstport 4789 dev v0
	ip addr add 10.81.0.1/24 dev vx0
	ip link set vx0 up
	ip -n g link add vx0 type vxlan id 7 local $G4 remote $H4 dstport 4789 dev "$nic"
	ip -n g addr add 10.81.0.2/24 dev vx0
	ip -n g link set vx0 up
	passes "VXLAN over both ends: ping" await "ping" in_g ping -c1 -W1 10.81.0.1
	passes "VXLAN: 32 MiB from the guest" in_g "$TRAFFIC" put 10.81.0.1 "$PORT" 32 1
	passes "VXLAN: 32 MiB to the guest" in_g "$TRAFFIC" get 10.81.0.1 "$PORT" 32 2
	passes "VXLAN: UDP" in_g "$TRAFFIC" udp 10.81.0.1 "$PORT" 300 9000 3
	ip link del vx0
	ip -n g link del vx0
}

# -------------------------------------------------------------- guest's end

# the guest's end is a port of a bridge; a neighbour behind it talks to the host
test_guest_bridge()
{
	needs bridge veth || return
	ip -n g addr flush dev "$nic"
	ip netns add n
	ip -n g link add br1 type bridge mcast_snooping 0
	ip -n g link add port1 type veth peer name eth0 netns n
	ip -n g link set "$nic" master br1
	ip -n g link set port1 master br1
	ip -n g link set br1 up
	ip -n g link set port1 up
	ip -n n addr add $G4/24 dev eth0
	ip -n n link set eth0 up
	passes "bridge on the guest's end: ping from behind it" await "ping" ip netns exec n ping -c1 -W1 $H4
	passes "bridge on the guest's end: 32 MiB to the host" ip netns exec n "$TRAFFIC" put $H4 "$PORT" 32 1
	passes "bridge on the guest's end: 32 MiB from it" ip netns exec n "$TRAFFIC" get $H4 "$PORT" 32 2
	ip -n g link del br1
	ip netns del n
	plain_again "guest's bridge"
}

test_guest_macvlan()
{
	needs macvlan || return
	ip netns add n
	ip -n g link add mv0 link "$nic" netns n type macvlan mode bridge
	ip -n n addr add 10.79.0.4/24 dev mv0
	ip -n n link set mv0 up
	passes "macvlan on the guest's end: ping" await "ping" ip netns exec n ping -c1 -W1 $H4
	passes "macvlan on the guest's end: 32 MiB to the host" ip netns exec n "$TRAFFIC" put $H4 "$PORT" 32 1
	passes "macvlan on the guest's end: 32 MiB from it" ip netns exec n "$TRAFFIC" get $H4 "$PORT" 32 2
	ip -n n link del mv0
	ip netns del n
}

active_slave()
{
	[[ $(in_g cat /sys/class/net/bond1/bonding/active_slave) == "$1" ]]
}

second_nic()
{
	compgen -G '/sys/bus/vbus/devices/*.1/net/*'
}

# two venets are one bond in the guest, and ports of one bridge on the host
test_guest_bond()
{
	needs bonding bridge || return
	local nic1=second
	new_venet v1 l0
	passes "a second device" await "second nic" second_nic
	ip link set "$(basename "$(second_nic)")" name $nic1 netns g
	ip addr flush dev v0
	ip link add br2 type bridge mcast_snooping 0 forward_delay 0
	ip link set v0 master br2
	ip link set v1 master br2 up
	ip addr add $H4/24 dev br2
	ip link set br2 up
	ip -n g addr flush dev "$nic"
	ip -n g link set "$nic" down
	ip -n g link add bond1 type bond mode active-backup miimon 50
	ip -n g link set "$nic" master bond1
	ip -n g link set "$nic1" master bond1
	ip -n g addr add $G4/24 dev bond1
	ip -n g link set bond1 up
	in_g sh -c "echo $nic >/sys/class/net/bond1/bonding/primary"
	passes "bond in the guest: the primary is active" await "active" active_slave "$nic"
	passes "bond in the guest: ping" await "ping" in_g ping -c1 -W1 $H4
	in_g "$TRAFFIC" get $H4 "$PORT" 128 5 >/tmp/bond 2>&1 &
	local stream=$! rx
	rx=$(net_stat br2 tx_bytes)
	await "the stream" moved br2 tx_bytes "$rx" $((4 << 20))
	ip link set v0 down
	passes "bond in the guest: the host's end goes down, the other takes over" await "active" active_slave "$nic1"
	ip link set v0 up
	passes "bond in the guest: it comes back" await "active" active_slave "$nic"
	wait $stream
	ok $? "bond in the guest: a stream went on, every byte right" || comment </tmp/bond
	ip -n g link del bond1
	ip link del br2
	"$VBUS" unplug v1
	plain_again "bond"
}

# --------------------------------------------------------------- under load

# load: streams both ways, until they are through; they are checked.  Pools of receive
# buffers come and go, and the kernel complains of one that waits for a minute.
load()
{
	local way
	free_deferred
	streams=()
	for way in put get; do
		in_g "$TRAFFIC" $way $H4 "$PORT" "$1" 7 >"/tmp/load.$way" 2>&1 &
		streams+=($!)
	done
}

loaded_well()
{
	local pid
	for pid in "${streams[@]}"; do
		wait "$pid" || { comment < <(cat /tmp/load.*); return 1; }
	done
}

# flows: data move
flows()
{
	local rx tx
	rx=$(net_stat v0 rx_bytes)
	tx=$(net_stat v0 tx_bytes)
	await "streams to resume" sh -c "
		[ \$(cat /sys/class/net/v0/statistics/rx_bytes) -ge $((rx + (1 << 16))) ] &&
		[ \$(cat /sys/class/net/v0/statistics/tx_bytes) -ge $((tx + (1 << 16))) ]"
}

# load_begins: streams that last longer than whatever comes
load_begins()
{
	load 100000
	flows || note "no stream"
}

# survived NAME: the streams resume, and others are right
survived()
{
	passes "$1: streams resume by themselves" flows
	kill "${streams[@]}" 2>/dev/null
	wait "${streams[@]}" 2>/dev/null
	load 8
	loaded_well
	ok $? "$1: then every byte is right"
}

# under_load NAME TIMES CMD...: CMD with a number, again and again under streams
under_load()
{
	local name=$1 times=$2 i
	shift 2
	load_begins
	for ((i = 0; i < times; i++)); do
		"$@" "$i" || break
	done
	is "$i" "$times" "$name: $times times under load"
	survived "$name"
}

# a_minute_under_load NAME CMD...: the same for a minute
a_minute_under_load()
{
	local name=$1 i end failed=0
	shift
	load_begins
	end=$(($(uptime_cs) + 6000))
	for ((i = 0; failed == 0 && $(uptime_cs) < end; i++)); do
		"$@" "$i" || failed=1
	done
	is "$failed" 0 "$name: for a minute under load"
	note "$name: $i times"
	survived "$name"
}

flap_host()
{
	ip link set v0 down && nap && ip link set v0 up && nap
}

flap_guest()
{
	ip -n g link set "$nic" down && nap && ip -n g link set "$nic" up && nap
}

flap_cable()
{
	echo 0 >"$CFS/devices/venet/v0/link" && nap && echo 1 >"$CFS/devices/venet/v0/link" && nap
}

set_pairs()
{
	in_g ethtool -L "$nic" combined $((1 + $1 % 2)) && nap
}

set_rings()
{
	in_g ethtool -G "$nic" rx $((128 << $1 % 4)) tx $((64 << $1 % 5)) && nap
}

set_offloads()
{
	local all=(tx tso rx sg) switch=(off on)
	local what=${all[$1 / 2 % 4]} on=${switch[$1 % 2]}
	in_g ethtool -K "$nic" "$what" "$on" >/dev/null || return
	[[ $what == rx ]] || ethtool -K v0 "$what" "$on" >/dev/null || return
	nap
}

set_mtu()
{
	local mtu=(9000 1500 65535 1280)
	ip link set v0 mtu "${mtu[$1 % 4]}" && await "mtu" g_mtu_is "${mtu[$1 % 4]}"
}

# both ends go to a namespace and come back
move_host()
{
	ip link set v0 netns away && ip -n away link set v0 up && nap &&
		ip -n away link set v0 netns 1 && readdress
}

move_guest()
{
	ip -n g link set "$nic" netns away && ip -n away link set "$nic" up && nap &&
		ip -n away link set "$nic" netns g && readdress
}

streaming()
{
	[[ -d /proc/${streams[0]} || -d /proc/${streams[1]} ]]
}

# verified NAME CMD...: CMD with a number, again and again until the streams are through
verified()
{
	local name=$1 i failed=0
	shift
	load 160
	for ((i = 0; failed == 0; i++)); do
		streaming || break
		"$@" "$i" || failed=1
		((i % 16)) || free_deferred || failed=1
	done
	[[ $i -ge 4 ]] || failed="changed $i times only"
	is "$failed" 0 "$name: changed again and again under load"
	loaded_well
	ok $? "$name: streams across all of them, every byte right"
}

test_load()
{
	ip netns add away
	under_load "host's end flaps at 10 Hz" 20 flap_host
	under_load "guest's end flaps at 10 Hz" 20 flap_guest
	a_minute_under_load "the cable flaps at 10 Hz" flap_cable
	readdress
	verified "ethtool -L" set_pairs
	verified "ethtool -G" set_rings
	verified "ethtool -K" set_offloads
	in_g ethtool -K "$nic" tx on tso on rx on sg on >/dev/null
	ethtool -K v0 tx on tso on sg on >/dev/null
	verified "MTU" set_mtu
	ip link set v0 mtu 1500
	under_load "host's end moves between namespaces" 5 move_host
	under_load "guest's end moves between namespaces" 5 move_guest
	ip netns del away
	both_ways "after all that" 16
}

start_loop pairs=2
test_bridge
test_host_macvlan
test_tc
test_nft
test_vxlan
test_guest_bridge
test_guest_macvlan
test_guest_bond
test_load
finish
