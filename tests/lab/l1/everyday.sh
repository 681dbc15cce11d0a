#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What users of a NIC take for granted, in loop mode: both ends are in one kernel,
# the guest's in namespace g.

set -uo pipefail
. tests/lab/lib.sh
. tests/lab/loop-lib.sh

FRAMES=tests/lab/frames.py
OFFLOADS="generic-receive-offload generic-segmentation-offload tx-scatter-gather
	tx-checksum-ip-generic tx-tcp-segmentation tx-tcp-ecn-segmentation
	tx-tcp6-segmentation tx-udp-segmentation tx-udp_tnl-segmentation
	tx-udp_tnl-csum-segmentation tx-vlan-offload rx-vlan-offload
	tx-vlan-stag-hw-insert rx-vlan-stag-hw-parse"

# ---------------------------------------------------------------------- MTU

mtu_passes()
{
	local size=$(($1 - 28))
	in_g ping -c 2 -W 20 -M "do" -s "$size" $H4 &&
		ping -c 2 -W 20 -M "do" -s "$size" $G4
}

test_mtu()
{
	local mtu
	for mtu in 68 9000 65535 1500; do
		ip link set v0 mtu $mtu
		passes "MTU $mtu set on the host's end: the guest's follows" await "mtu $mtu" g_mtu_is $mtu
		passes "MTU $mtu: a packet of that size passes both ways, whole" mtu_passes $mtu
		is "$(net_stat v0 rx_errors) $(g_stat rx_errors)" "0 0" "MTU $mtu: no errors on either end"
	done
	gives EINVAL "the host's end takes no MTU below 68" write /sys/class/net/v0/mtu 67
	gives EINVAL "... and none above 65535" write /sys/class/net/v0/mtu 65536
	passes "the guest's end can be given 68 while it runs" ip -n g link set "$nic" mtu 68
	passes "... and 65535" ip -n g link set "$nic" mtu 65535
	says 2 'mtu (less|greater)' "... and not 67" ip -n g link set "$nic" mtu 67
	passes "... and 2000" ip -n g link set "$nic" mtu 2000
	ip link set v0 mtu 3000
	# the guest hears of both in one go, or of the MTU first
	ethtool -s v0 speed 1234 duplex full
	passes "the guest hears of the host's speed" await "speed 1234" g_speed_is 1234
	is "$(g_mtu)" 2000 "an MTU that was chosen in the guest is not changed by the host"
	ip -n g link set "$nic" mtu 3000
	ip link set v0 mtu 1500
	passes "one that is the host's again follows again" await "mtu 1500" g_mtu_is 1500
	readdress	# IPv6 went with the small MTU
	both_ways "after the changes of MTU" 16
}

# --------------------------------------------------------------------- link

test_link()
{
	local changes
	changes=$(g_carrier_changes)
	ip link set v0 down
	passes "host's end down: the guest's loses its carrier" await "no carrier" no_carrier ip -n g link show "$nic"
	ip link set v0 up
	passes "host's end up: it has it again" await "carrier" carrier ip -n g link show "$nic"
	is $(($(g_carrier_changes) - changes)) 2 "these were two changes of carrier"
	changes=$(cat /sys/class/net/v0/carrier_changes)
	ip -n g link set "$nic" down
	passes "guest's end down: the host's loses its carrier" await "no carrier" no_carrier ip link show v0
	ip -n g link set "$nic" up
	passes "guest's end up: it has it again" await "carrier" carrier ip link show v0
	is $(($(cat /sys/class/net/v0/carrier_changes) - changes)) 2 "these were two changes of carrier, too"
	readdress
	passes "ping after that" await "ping" in_g ping -c1 -W1 $H4
	both_ways "after the changes of link" 16
}

# ------------------------------------------------------------------ ethtool

g_speed_is()
{
	[[ $(in_g ethtool "$nic" | awk '/Speed:/ { print $2 }') == "${1}Mb/s" ]]
}

# features that are on and can be turned off, of "ethtool -k"
changeable()
{
	awk -F: '$2 == " on" { gsub(/[[:space:]]/, "", $1); print $1 }' | sort | tr '\n' ' '
}

# lacks WORD...: those of the words that standard input has not
lacks()
{
	local have word
	read -ra have
	# shellcheck disable=SC2048
	for word in $*; do
		[[ " ${have[*]} " == *" $word "* ]] || echo "$word"
	done
}

test_ethtool()
{
	local out
	out=$(in_g ethtool -i "$nic")
	is "$(awk '$1 == "driver:" || $1 == "bus-info:" { printf "%s ", $2 }' <<<"$out")" "venet vbus0.0 " \
		"guest: ethtool -i says driver and place on the bus"
	is "$(ethtool -i v0 | awk '$1 == "driver:" || $1 == "bus-info:" { printf "%s ", $2 }')" "vbus_venet l0.0 " \
		"host: ethtool -i says driver, bus and slot"
	is "$(lacks rx-checksumming rx-gro-hw "$OFFLOADS" <<<"$guest_features")" "" \
		"guest: ethtool -k: all offloads are on, and can be turned off"
	is "$(lacks tx-scatter-gather-fraglist "$OFFLOADS" <<<"$host_features")" "" \
		"host: ethtool -k: all offloads are on, and can be turned off"
	is "$(in_g ethtool -l "$nic" | awk '$1 == "Combined:" { printf "%s ", $2 }')" "2 2 " "guest: ethtool -l"
	is "$(ethtool -l v0 | awk '$1 == "Combined:" { printf "%s ", $2 }')" "2 2 " "host: ethtool -l"
	is "$(in_g ethtool -g "$nic" | awk '$1 == "RX:" || $1 == "TX:" { printf "%s ", $2 }')" "4096 4096 1024 1024 " \
		"guest: ethtool -g"
	is "$(in_g ethtool -c "$nic" | awk '$1 == "rx-usecs:" || $1 == "rx-frames:" { printf "%s ", $2 }')" "0 0 " \
		"guest: ethtool -c"
	is "$(in_g ethtool -a "$nic" | awk -F: 'NF > 1 && $2 { gsub(/[[:space:]]/, "", $2); printf "%s ", $2 }')" \
		"off off off " "guest: ethtool -a: no pause frames"
	like "$(in_g ethtool -S "$nic" | grep -c ': [0-9]')" '^(6[4-9]|[7-9][0-9]|1[0-9][0-9])$' "guest: ethtool -S has counters of two pairs and lanes"
	passes "guest: a speed can be set, as bonding wants it" in_g ethtool -s "$nic" speed 25000 duplex full
	passes "guest: it is shown" g_speed_is 25000
	in_g ethtool -s "$nic" autoneg on >/dev/null 2>&1
	is $(($? != 0)) 1 "guest: autonegotiation cannot be turned on"
	ethtool -s v0 speed 10000 duplex full
	passes "guest: what the host says next is shown" await "speed" g_speed_is 10000
	is "$(ethtool v0 | awk '/Speed:|Duplex:/ { printf "%s ", $2 }')" "10000Mb/s Full " "host: speed and duplex"
}

# a stream that is checked, while something else is done
stream()
{
	in_g "$TRAFFIC" "$1" $H4 "$PORT" "$2" 3 >/tmp/stream 2>&1 &
	stream=$!
}

test_rings()
{
	local size n=0
	stream put 192
	for size in 64 4096 256 128 1024; do
		in_g ethtool -G "$nic" rx $size tx $size && n=$((n + 1))
	done
	wait $stream
	ok $? "rings change their size five times under a stream: every byte is right" || comment </tmp/stream
	is "$n $(in_g ethtool -g "$nic" | awk '$1 == "RX:" || $1 == "TX:" { printf "%s ", $2 }')" "5 4096 4096 1024 1024 " \
		"... and have the last size"
}

# pktgen FILE COMMAND...: it reads one at a time
pktgen()
{
	local command
	for command in "${@:2}"; do
		echo "$command" >"/proc/net/pktgen/$1" || return
	done
}

# flood IN NIC MAC SIZE COUNT [COMMAND]...: COUNT frames from NIC to MAC by pktgen, which
# waits until its last one is given back; IN: "in_g" or "env", where the NIC is
flood()
{
	modprobe pktgen
	"$1" bash -c "$(declare -f pktgen)"'
		pktgen kpktgend_0 "add_device $1" &&
			pktgen "$1" "dst_mac $2" "pkt_size $3" "count $4" "delay 0" "dst 10.79.0.9" "${@:5}" &&
			pktgen pgctrl start' flood "${@:2}" &&
		rmmod pktgen
}

all_came()
{
	(($(net_stat v0 rx_packets) >= $1))
}

g_stops()
{
	in_g ethtool -S "$nic" | awk '$1 == "tx0_stops:" { print $2 }'
}

test_flood()
{
	local before stops mac
	needs pktgen || return
	mac=$(cat /sys/class/net/v0/address)
	before=$(net_stat v0 rx_packets)
	passes "5000 large frames that nothing follows are given back" \
		flood in_g "$nic" "$mac" 65500 5000 "frags 16"
	passes "... and have come" await "frames" all_came $((before + 5000))
	before=$(net_stat v0 rx_packets)
	stops=$(g_stops)
	passes "the same small frame 100000 times, faster than the host can take it" \
		flood in_g "$nic" "$mac" 1500 100000 "clone_skb 100000"
	passes "... and it has come as often" await "frames" all_came $((before + 100000))
	stops=$(($(g_stops) - stops))
	is "$((stops > 0))" 1 "... though the ring was full, $stops times"
}

# counters agree once both ends have counted what is under way
same_counts()
{
	[[ "$(net_stat v0 tx_bytes) $(net_stat v0 tx_packets) $(net_stat v0 rx_bytes) $(net_stat v0 rx_packets)" == \
		"$(g_stat rx_bytes) $(g_stat rx_packets) $(g_stat tx_bytes) $(g_stat tx_packets)" ]]
}

test_counters()
{
	needs pktgen || return
	# more than 32 bits hold, each frame 64 KiB
	local before
	before=$(net_stat v0 tx_bytes)
	passes "67000 frames of 64 KiB from the host's end" flood env v0 "$own" 65500 67000
	is $(($(net_stat v0 tx_bytes) - before >= 67000 * 65500)) 1 "4.4 GB sent by the host's end are counted"
	is "$(($(net_stat v0 tx_bytes) > 1 << 32))" 1 "... beyond 32 bits"
	passes "both ends have counted the same bytes and packets, each way" await "same counters" same_counts
	like "$(in_g ip -s -j link show "$nic" | tr ',' '\n' | grep -m1 '"bytes"')" ":[4-9][0-9]{9}" "ip -s link shows them in the guest"
}

# ----------------------------------------------------------- receive filter

STRANGER=02:00:00:00:00:99
GROUP=01:00:5e:01:02:03
BROADCAST=ff:ff:ff:ff:ff:ff

# frames: how many of five arrive at own, broadcast, stranger, group
frames()
{
	python3 $FRAMES v0 g "$nic" 5 "$own" $BROADCAST $STRANGER $GROUP
}

# arrives OWN BROADCAST STRANGER GROUP: a change takes effect soon, not at once
arrives()
{
	[[ $(frames) == "$*" ]]
}

# filter_is OWN BROADCAST STRANGER GROUP NAME: exactly, and the rest is counted
filter_is()
{
	local was got
	await "the filter: $5" arrives "$1" "$2" "$3" "$4"
	was=$(filtered)
	got=$(frames)
	is "$got, $(($(filtered) - was)) filtered" "$1 $2 $3 $4, $((20 - $1 - $2 - $3 - $4)) filtered" "$5"
}

# multicast add|del ADDRESS...
multicast()
{
	local address
	for address in "${@:2}"; do
		ip -n g maddr "$1" "$address" dev "$nic"
	done
}

test_filter()
{
	local i joined=()
	# what the host's own stack says by multicast is not to be counted
	sysctl -qw net.ipv6.conf.v0.disable_ipv6=1
	passes "one queue pair: frames stay in order" in_g ethtool -L "$nic" combined 1
	own=$(in_g cat "/sys/class/net/$nic/address")
	filter_is 5 5 0 0 "the guest gets frames for itself and broadcasts"
	needs macvlan || return
	ip -n g link add mv0 link "$nic" address $STRANGER type macvlan mode bridge
	ip -n g link set mv0 up
	filter_is 5 5 5 0 "a macvlan in the guest: frames for its address, too"
	ip -n g link del mv0
	filter_is 5 5 0 0 "... until it goes"
	ip -n g maddr add $GROUP dev "$nic"
	filter_is 5 5 0 5 "a multicast group that was joined"
	ip -n g link set "$nic" down
	ip -n g link set "$nic" up
	await "carrier" carrier ip link show v0
	filter_is 5 5 0 5 "... after down and up again"
	ip -n g maddr del $GROUP dev "$nic"
	filter_is 5 5 0 0 "... until it was left"
	ip -n g link set "$nic" allmulticast on
	filter_is 5 5 0 5 "allmulticast: all groups"
	ip -n g link set "$nic" allmulticast off
	filter_is 5 5 0 0 "... until it is turned off"
	ip -n g link set "$nic" promisc on
	filter_is 5 5 5 5 "promisc: everything"
	ip -n g link set "$nic" promisc off
	filter_is 5 5 0 0 "... until it is turned off"
	for ((i = 16; i < 80; i++)); do
		joined+=("01:00:5e:00:00:$(printf %02x $i)")
	done
	multicast add "${joined[@]}"
	filter_is 5 5 0 5 "more groups than the host can list: all multicast, not less"
	is "$(python3 $FRAMES v0 g "$nic" 1 "${joined[@]}" | tr ' ' '\n' | grep -c '^1$')" 64 \
		"... each of the 64 that were joined"
	multicast del "${joined[@]}"
	filter_is 5 5 0 0 "... and a list again when there are fewer"
	passes "the address changes while the guest's end runs" ip -n g link set "$nic" address 02:00:00:00:00:77
	is "$(cat "$CFS/devices/venet/v0/mac")" 02:00:00:00:00:77 "the host knows the new address"
	is "$(python3 $FRAMES v0 g "$nic" 5 "$own" 02:00:00:00:00:77)" "0 5" "frames for the new one arrive, those for the old one do not"
	ip -n g link set "$nic" address "$own"
	is "$(python3 $FRAMES v0 g "$nic" 3 "$own@0005" "$own@6fff" "$own@a00a")" "3 3 3" \
		"802.1Q tags arrive as they were sent, priority and DEI with them"
	in_g ethtool -L "$nic" combined 2
	sysctl -qw net.ipv6.conf.v0.disable_ipv6=0
	readdress
}

# call FUNC HEX: what the call says, as insmod prints it
call()
{
	net_g insmod "$BUILD/tests/call/vbus_call.ko" "nic=$nic" "func=$1" "req=$2" 2>&1 | sed 's/.*: //'
}

test_filter_hostile()
{
	local invalid="Invalid parameters" fine="File exists" unicast=020000000001 multicast=01005e000001 n=
	printf -v n '%s' "$(for ((i = 0; i < 40; i++)); do echo -n $multicast; done)"
	is "$(call 7 "")" "$invalid" "RX_MODE: an empty request"
	is "$(call 7 00000000000000)" "$invalid" "RX_MODE: a request that is too short"
	is "$(call 7 0400000000000000)" "$invalid" "RX_MODE: an unknown flag"
	is "$(call 7 0000000001000000)" "$invalid" "RX_MODE: an address that is not there"
	is "$(call 7 00000000000001000100)" "$invalid" "RX_MODE: half an address"
	is "$(call 7 00000000ffffffff"$n")" "$invalid" "RX_MODE: more addresses than there can be"
	is "$(call 7 0000000000002900"$n")" "$invalid" "RX_MODE: 41 addresses"
	is "$(call 7 0000000001000000$multicast)" "$invalid" "RX_MODE: a multicast address among the others"
	is "$(call 7 0000000001000000000000000000)" "$invalid" "RX_MODE: the address of nobody"
	is "$(call 7 0000000000000100$unicast)" "$invalid" "RX_MODE: a unicast address among multicast ones"
	is "$(call 7 0000000000002800"$n")" "$fine" "RX_MODE: 40 addresses are right"
	is "$(call 7 0300000000000000)" "$fine" "RX_MODE: both flags are right"
	is "$(call 4294967295 "")" "Operation not supported" "a call that does not exist"
	ip -n g link set "$nic" down
	ip -n g link set "$nic" up
	readdress
	await "ping" in_g ping -c1 -W1 $H4
	both_ways "after bad calls" 16
}

# --------------------------------------------------------------------- VLAN

test_vlan()
{
	needs 8021q || return
	ip link add v0.5 link v0 type vlan id 5
	ip addr add 10.80.0.1/24 dev v0.5
	ip link set v0.5 up
	ip -n g link add vl5 link "$nic" type vlan id 5
	ip -n g addr add 10.80.0.2/24 dev vl5
	ip -n g link set vl5 up
	passes "VLAN 5 on top of both ends: ping" await "ping" in_g ping -c1 -W1 10.80.0.1
	passes "VLAN: a packet of the whole MTU" in_g ping -c 2 -W 20 -M "do" -s 1472 10.80.0.1
	passes "VLAN: 64 MiB, guest side to host side" in_g "$TRAFFIC" put 10.80.0.1 "$PORT" 64 1
	passes "VLAN: 64 MiB, host side to guest side" in_g "$TRAFFIC" get 10.80.0.1 "$PORT" 64 2
	passes "VLAN: UDP" in_g "$TRAFFIC" udp 10.80.0.1 "$PORT" 500 20000 3
	ip -n g link del vl5
	ip link del v0.5
}

# ----------------------------------------------------------------- offloads

# the name that ethtool -k shows for a short one of ethtool -K
long_name()
{
	case $1 in
	tx) echo tx-checksumming ;;
	rx) echo rx-checksumming ;;
	gso) echo generic-segmentation-offload ;;
	gro) echo generic-receive-offload ;;
	*) echo "$1" ;;
	esac
}

# sent_by END: bytes and packets that the other end has received
sent_by()
{
	case $1 in
	host) echo "$(g_stat rx_bytes) $(g_stat rx_packets)" ;;
	guest) echo "$(net_stat v0 rx_bytes) $(net_stat v0 rx_packets)" ;;
	esac
}

# each offload off on one end, with streams both ways
test_offloads()
{
	local side what bytes packets bytes2 packets2
	for what in tx-udp-segmentation tx-tcp6-segmentation tx-tcp-segmentation tx tx-scatter-gather rx gso gro; do
		for side in host guest; do
			[[ $side$what != hostrx ]] || continue
			passes "$side: ethtool -K $what off" "${side}_ethtool" -K $what off
			is "$("${side}_ethtool" -k | grep -cE "^[[:space:]]*($what|$(long_name $what)): on")" 0 \
				"$side: $what is shown as off"
			read -r bytes packets < <(sent_by $side)
			passes "$side, $what off: IPv4 to the host" in_g "$TRAFFIC" put $H4 "$PORT" 8 1
			passes "$side, $what off: IPv4 to the guest" in_g "$TRAFFIC" get $H4 "$PORT" 8 2
			read -r bytes2 packets2 < <(sent_by $side)
			[[ $what != tx-tcp-segmentation ]] ||
				is "$((bytes2 - bytes <= 1514 * (packets2 - packets)))" 1 \
					"$side, $what off: what it sends is no longer than the MTU"
			passes "$side, $what off: IPv6 to the guest" in_g "$TRAFFIC" get $H6 "$PORT" 8 3
			"${side}_ethtool" -K $what on >/dev/null
		done
	done
	is "$(in_g ethtool -k "$nic" | changeable)" "$guest_features" "guest: all offloads are on again"
	is "$(ethtool -k v0 | changeable)" "$host_features" "host: all offloads are on again"
}

host_ethtool()
{
	ethtool "$1" v0 "${@:2}"
}

guest_ethtool()
{
	in_g ethtool "$1" "$nic" "${@:2}"
}

# ----------------------------------------------------------------- the link

# "ip netns exec" has its own mounts, and would keep the namespace
test_kind()
{
	like "$(ip -d link show v0)" ' venet ' "ip -d link shows the kind"
	is "$(python3 tests/lab/linkinfo.py v0 | tr '\n' ' ')" \
		"kind=venet device=v0 bus=l0 slot=0 guest_mac=$own pairs=2 active_pairs=2 " "its attributes are there"
	ip -n g link set "$nic" down
	is "$(python3 tests/lab/linkinfo.py v0 | grep active)" "active_pairs=0" "... and live"
	ip -n g link set "$nic" up
	says 2 'Operation not supported|Unknown device type' "nobody makes one by ip link add" ip link add v9 type venet
	says 2 'Operation not supported' "nobody removes one by ip link del" ip link del v0
	is "$(ip -br link show v0 | awk '{ print $1 }')" v0 "it is still there"
	ip netns add away
	ip link set v0 netns away
	passes "it can be moved to another namespace" ip -n away link show v0
	ip netns del away
	passes "it comes back when that goes" await "v0" ip link show v0
	readdress
	passes "ping after that" await "ping" in_g ping -c1 -W1 $H4
}

# --------------------------------------------------------------- netconsole

# each of the hundred lines, once
all_lines()
{
	[[ $(grep -o "$1 [0-9]*\." /tmp/netconsole | sort -u | wc -l) -eq 100 ]]
}

receives()
{
	"$1" ss -lun | grep -q :6666
}

# netconsole NAME FROM-IP DEV TO-IP TO-MAC RUN-SENDER RUN-RECEIVER
netconsole()
{
	local name=$1 i mark=netconsole-$RANDOM log
	: >/tmp/netconsole
	"$7" socat -u UDP-RECV:6666 OPEN:/tmp/netconsole,append 2>/dev/null &
	log=$!
	await "a receiver" receives "$7"
	if passes "$name: netconsole starts" "$6" modprobe netconsole "netconsole=@$2/$3,6666@$4/$5"; then
		stream put 64
		for ((i = 0; i < 100; i++)); do
			echo "<1>$mark $i." >/dev/kmsg
		done
		wait $stream
		ok $? "$name: netconsole: a stream beside it is right" || comment </tmp/stream
		passes "$name: netconsole: 100 lines arrive" await "lines" all_lines "$mark"
		rmmod netconsole
	fi
	kill $log
	wait $log 2>/dev/null
	passes "$name: ping after that" in_g ping -c 3 -W 20 $H4
}

test_netconsole()
{
	local host_mac
	host_mac=$(cat /sys/class/net/v0/address)
	if ! modprobe -n netconsole; then
		note "left out: this kernel has no module netconsole"
		return
	fi
	in_g ethtool -G "$nic" rx 64 tx 64
	netconsole "guest's end" $G4 "$nic" $H4 "$host_mac" net_g env
	netconsole "host's end" $H4 v0 $G4 "$own" env net_g
	in_g ethtool -G "$nic" rx 1024 tx 1024
	both_ways "after netconsole" 16
}

start_loop pairs=2
own=$(in_g cat "/sys/class/net/$nic/address")
guest_features=$(in_g ethtool -k "$nic" | changeable)
host_features=$(ethtool -k v0 | changeable)
test_counters
test_ethtool
test_mtu
test_link
test_rings
test_flood
test_filter
test_filter_hostile
test_vlan
test_offloads
test_kind
test_netconsole
finish
