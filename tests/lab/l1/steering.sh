#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Which queue pair of the guest receives which flow: by the guest's key and table
# (ethtool -X), checked by the verification suite that Microsoft publishes for the
# Toeplitz hash; by what the guest sends, if it has set no table; and what it is
# told of the hash.  On the loop connector, three pairs on three lanes.

set -uo pipefail
. tests/lab/lib.sh

H4=10.79.0.1
G4=10.79.0.2
PAIRS=3
COUNT=20
tracing=/sys/kernel/tracing
KEY=6d:5a:56:da:25:5b:0e:c2:41:67:25:3d:43:a3:8f:b0:d0:ca:2b:cb:ae:7b:30:b4:77:cb:2d:a3:80:30:f2:0c:6a:42:b7:3b:be:ac:01:fa
# from, port, to, port, hash with ports, hash of the addresses
VECTORS="66.9.149.187 2794 161.142.100.80 1766 51ccc178 323e8fc2
199.92.111.2 14230 65.69.140.83 4739 c626b0ea d718262a
24.19.198.95 12898 12.22.207.184 38024 5c2b394a d2d0a5de
38.27.205.30 48228 209.142.163.6 2217 afc7327f 82989176
153.39.163.191 44251 202.188.127.2 1303 10e828a2 5d1809c5
3ffe:2501:200:1fff::7 2794 3ffe:2501:200:3::1 1766 40207d3d 2cc18cd5"

guest_side=(ip netns exec g)

in_g()
{
	"${guest_side[@]}" "$@"
}

has_nic()
{
	compgen -G '/sys/bus/vbus/devices/*/net/*'
}

in_table()
{
	in_g ethtool -x "$nic"
}

# the entries, one after the other
table()
{
	in_table | awk '$1 ~ /^[0-9]+:$/ { for (i = 2; i <= NF; i++) printf "%s ", $i }'
}

key()
{
	in_table | awk 'found { print $1; exit } /^RSS hash key:/ { found = 1 }'
}

# a table of entries that follow each other so
spread()
{
	local i=0 all=("$@")
	for ((i = 0; i < 128; i++)); do
		printf '%s ' "${all[i % $#]}"
	done
}

# received: frames of each pair
received()
{
	in_g ethtool -S "$nic" | awk '$1 ~ /^rx[0-9]+_packets:$/ { printf "%s ", $2 }'
}

host_stat()
{
	ethtool -S v0 | awk -v key="$1:" '$1 == key { print $2 }'
}

# since BEFORE: what each pair has received meanwhile
since()
{
	local -a before now
	read -ra before <<<"$1"
	read -ra now <<<"$(received)"
	for i in "${!now[@]}"; do
		printf '%d ' $((now[i] - before[i]))
	done
}

# only PAIR N: that many for this pair, none for the others
only()
{
	for ((i = 0; i < PAIRS; i++)); do
		printf '%d ' $((i == $1 ? $2 : 0))
	done
}

# udp FROM PORT TO PORT COUNT: small datagrams, each answered before the next
udp()
{
	TRAFFIC_FROM="$1 $2" "$TRAFFIC" udp "$3" "$4" "$5" 600 1 >/tmp/udp 2>&1
}

trace_on()
{
	echo 0 >$tracing/tracing_on
	: >$tracing/trace
	echo "name == \"$nic\"" >$tracing/events/net/napi_gro_receive_entry/filter
	echo 1 >$tracing/events/net/napi_gro_receive_entry/enable
	echo 1 >$tracing/tracing_on
}

# traced: how many of which hash, "N HASH L4, ..."
traced()
{
	echo 0 >$tracing/tracing_on
	echo 0 >$tracing/events/net/napi_gro_receive_entry/enable
	grep -o ' hash=0x[0-9a-f]* l4_hash=[01]' $tracing/trace | sort | uniq -c |
		awk '{ sub("hash=0x", "", $2); sub("l4_hash=", "", $3); printf "%s%d %s %s", (NR == 1 ? "" : ", "), $1, $2, $3 }'
}

# vectors NAME COLUMN L4: each lands where the table says, with the right hash
vectors()
{
	local name=$1 column=$2 l4=$3 from fport to tport four two hash bad=0 n=0 before entries found want
	read -ra entries <<<"$(table)"
	while read -r from fport to tport four two; do
		hash=$four
		[[ $column -eq 5 ]] || hash=$two
		before=$(received)
		trace_on
		udp "$from" "$fport" "$to" "$tport" $COUNT || bad=1
		found="$(since "$before")of $(traced)"
		want="$(only "${entries[$((16#$hash & 127))]}" $COUNT)of $COUNT $hash $l4"
		[[ $found == "$want" ]] || { bad=1; note "$from $fport $to $tport: $found, want $want"; }
		n=$((n + 1))
	done <<<"$VECTORS"
	is "$bad $n" "0 6" "$name: each packet of the six flows is received by the table's pair, with the published hash"
}

# ---------------------------------------------------------------------- set-up

load_host
load_loop
ip netns add g
ip -n g link set lo up
new_bus l0 $PAIRS
new_venet v0 l0 pairs=$PAIRS
loop_attach l0
await "the guest's end" has_nic || bail "no NIC"
nic=$(basename /sys/bus/vbus/devices/*/net/*)
ip link set "$nic" netns g
ip -n g link set "$nic" addrgenmode none
ip link set v0 addrgenmode none
sysctl -qw net.ipv6.conf.v0.disable_ipv6=0
in_g sysctl -qw net.ipv6.conf.all.accept_ra=0
ip -n g link set "$nic" up
# no packet but those that are counted: every neighbour is known, and for ever,
# and nobody says which groups he listens to
nft add table netdev quiet
nft add chain netdev quiet out '{ type filter hook egress device v0 priority 0; }'
passes "nothing but what is counted is sent" nft add rule netdev quiet out meta l4proto 58 drop
mac=$(in_g cat "/sys/class/net/$nic/address")
host_mac=$(cat /sys/class/net/v0/address)
known()
{
	local bits=32 nodad=
	[[ $1 != *:* ]] || { bits=128; nodad=nodad; }
	ip addr add "$1/$bits" dev v0 $nodad
	ip -n g addr add "$2/$bits" dev "$nic" $nodad
	ip route add "$2/$bits" dev v0 src "$1"
	ip -n g route add "$1/$bits" dev "$nic" src "$2"
	ip neigh replace "$2" lladdr "$mac" dev v0 nud permanent
	ip -n g neigh replace "$1" lladdr "$host_mac" dev "$nic" nud permanent
}
known $H4 $G4
while read -r from _ to tport _; do
	known "$from" "$to"
	in_g "$TRAFFIC" serve "$tport" >/dev/null 2>&1 &
	servers+=($!)
done <<<"$(head -n5 <<<"$VECTORS")"
known 3ffe:2501:200:1fff::7 3ffe:2501:200:3::1
in_g "$TRAFFIC" serve "$PORT" >/dev/null 2>&1 &
servers+=($!)
"$TRAFFIC" serve "$PORT" >/dev/null 2>&1 &
servers+=($!)
await "ping" in_g ping -c1 -W1 $H4
await "a server" "$TRAFFIC" udp 3ffe:2501:200:3::1 1766 1 100 1

# ---------------------------------------------------------------- key and table

is "$(table)" "$(spread 0 1 2)" "ethtool -x: the table is spread over the pairs at first"
like "$(key)" '^([0-9a-f]{2}:){39}[0-9a-f]{2}$' "ethtool -x: there is a key of 40 bytes"
for i in 0 1 2; do
	is "$(in_g cat "/sys/class/net/$nic/queues/tx-$i/xps_cpus" | tr -d 0,)" $((1 << i)) \
		"XPS: CPU $i sends on pair $i, whose lane interrupts it"
done
passes "ethtool -X: a key" in_g ethtool -X "$nic" hkey $KEY
is "$(key)" $KEY "ethtool -x: the key is what was set"
passes "ethtool -X: a table" in_g ethtool -X "$nic" start 1 equal 2
is "$(table)" "$(spread 1 2)" "ethtool -x: the table is what was set"
is "$(key)" $KEY "ethtool -x: and the key still is"
passes "ethtool -X: a pair that does not exist is refused" sh -c "! ip netns exec g ethtool -X $nic equal 4"
passes "ethtool -X: another hash function is refused" sh -c "! ip netns exec g ethtool -X $nic hfunc xor"
passes "ethtool -X: a short key is refused" sh -c "! ip netns exec g ethtool -X $nic hkey ${KEY:3}"
is "$(table)$(key)" "$(spread 1 2)$KEY" "ethtool -x: what was refused has changed nothing"

# ------------------------------------------------------------- flows by the table

vectors "table 1 2" 5 1
passes "ethtool -X: a table over all pairs" in_g ethtool -X "$nic" equal 3
vectors "table 0 1 2" 5 1
passes "ethtool -X: one pair has all" in_g ethtool -X "$nic" weight 0 0 1
vectors "table 2" 5 1
passes "ethtool -X: weights" in_g ethtool -X "$nic" weight 1 0 3
is "$(table | tr ' ' '\n' | grep . | sort | uniq -c | tr -s ' \n' ' ')" " 32 0 96 2 " "ethtool -x: weights"
vectors "table 0 2" 5 1
passes "ethtool -N: the addresses of UDP only" sh -c "ip netns exec g ethtool -N $nic rx-flow-hash udp4 sd &&
	ip netns exec g ethtool -N $nic rx-flow-hash udp6 sd"
is "$(in_g ethtool -n "$nic" rx-flow-hash udp4 | grep -c 'L4 bytes')" 0 "ethtool -n: the ports do not count"
vectors "addresses only" 6 0
passes "ethtool -N: the ports too" sh -c "ip netns exec g ethtool -N $nic rx-flow-hash udp4 sdfn &&
	ip netns exec g ethtool -N $nic rx-flow-hash udp6 sdfn"
is "$(in_g ethtool -n "$nic" rx-flow-hash udp4 | grep -c 'L4 bytes')" 2 "ethtool -n: the ports count"
passes "ethtool -N: the source alone is refused" sh -c "! ip netns exec g ethtool -N $nic rx-flow-hash udp4 s"
before=$(received)
trace_on
TRAFFIC_FROM="24.19.198.95 12898" "$TRAFFIC" put 12.22.207.184 38024 16 7 >/tmp/tcp 2>&1
like "$(</tmp/tcp)" '^16777216 of 16777216 ' "TCP: every byte right"
read -ra got <<<"$(since "$before")"
is "$((got[0] + got[1])) $((got[2] > 0))" "0 1" "TCP: no packet of it at another pair than the table's"
is "$(traced | sed 's/^[0-9]* //')" "5c2b394a 1" "TCP: all with the published hash"

# ------------------------------------------------------------------ rxhash on, off

passes "ethtool -K rxhash off" in_g ethtool -K "$nic" rxhash off
trace_on
udp 24.19.198.95 12898 12.22.207.184 38024 $COUNT
is "$(traced)" "$COUNT 00000000 0" "rxhash off: the stack is told of no hash"
passes "rxhash off: TCP, bytes" "$TRAFFIC" put $G4 "$PORT" 16 8
passes "ethtool -K rxhash on" in_g ethtool -K "$nic" rxhash on
vectors "rxhash on again: the table is still in force" 5 1

# ------------------------------------------------------------- under running streams

MB=1200		# long enough for some of the tables, on any machine
lost=$(host_stat guest_received_dropped)
sent0=$(host_stat guest_received_packets)
read -ra got0 <<<"$(received)"
"$TRAFFIC" put $G4 "$PORT" $MB 1 >/tmp/put 2>&1 &
in_g "$TRAFFIC" put $H4 "$PORT" $MB 2 >/tmp/get 2>&1 &
from=$(net_stat v0 tx_bytes)
await "a stream" moved v0 tx_bytes "$from" $((1 << 20))
bad=0
during=0
for ((i = 0; i < 30; i++)); do
	case $((i % 3)) in
	0) in_g ethtool -X "$nic" weight 1 0 0 ;;
	1) in_g ethtool -X "$nic" weight 0 1 0 ;;
	2) in_g ethtool -X "$nic" weight 0 0 1 ;;
	esac || bad=1
	[[ -s /tmp/put || -s /tmp/get ]] || during=$((during + 1))
	nap
done
note "$during of 30 tables while both streams ran"
is "$bad $((during >= 6))" "0 1" "streams: the table changes in their middle"
passes "streams: they come to their end" await "streams" sh -c "grep -q . /tmp/put && grep -q . /tmp/get"
is "$(cat /tmp/put /tmp/get | grep -c "^$((MB << 20)) of $((MB << 20)) ")" 2 "streams: not a byte is lost or changed, either way"
read -ra got1 <<<"$(received)"
all_received()
{
	read -ra got1 <<<"$(received)"
	[[ $((got1[0] - got0[0] + got1[1] - got0[1] + got1[2] - got0[2])) -eq \
		$(($(host_stat guest_received_packets) - sent0)) ]]
}
passes "streams: each frame that was sent is received" await "frames" all_received
is "$(host_stat guest_received_dropped)" "$lost" "streams: none was dropped"
is "$((got1[0] > got0[0] && got1[1] > got0[1] && got1[2] > got0[2]))" 1 "streams: each pair had its part"

# --------------------------------------------------------------------- bad calls

# answers REGEX NAME FUNCTION HEX: what insmod says of a control call (modules/call.c)
answers()
{
	like "$(in_g insmod "$BUILD/tests/call/vbus_call.ko" "nic=$nic" "func=$3" "req=$4" 2>&1)" "$1" "$2"
}

# rss TYPES ENTRY [BYTES]: a request in hex; all entries are 1 but the last one
rss()
{
	local out
	out=$(printf '%s00000000' "$1")$(printf '%080d' 0)
	out+=$(for ((i = 0; i < 127; i++)); do printf 01; done)$2
	echo "${out:0:$((2 * ${3:-176}))}"
}
invalid="Invalid parameters" unsupported="Operation not supported" fine="File exists"
in_g ethtool -X "$nic" start 1 equal 2
in_g "$TRAFFIC" get $H4 "$PORT" 100 3 >/tmp/get 2>&1 &
answers "$invalid" "bad call: nothing" 6 "$(rss 3f000000 01 0)"
answers "$invalid" "bad call: too short by a byte" 6 "$(rss 3f000000 01 175)"
answers "$unsupported" "bad call: an unknown type" 6 "$(rss 40000000 01)"
answers "$unsupported" "bad call: all types that there may be" 6 "$(rss ffffffff 01)"
answers "$invalid" "bad call: a pair that is not in use" 6 "$(rss 3f000000 03)"
answers "$invalid" "bad call: a pair that cannot be" 6 "$(rss 01000000 ff)"
answers "$invalid" "bad call: START with fewer pairs than the table names" 2 \
	00000000000000000100000000000000
passes "bad calls: the stream comes to its end" await "stream" grep -q . /tmp/get
like "$(</tmp/get)" '^104857600 of 104857600 ' "bad calls: not a byte of a stream is lost or changed"
vectors "bad calls: the table that was set is in force" 5 1
answers "$fine" "a call that is longer than it need be" 6 "$(rss 3f000000 02)00000000"
answers "$fine" "types 0: the host is to decide" 6 "$(rss 00000000 ff)"

# ---------------------------------------------------------------- number of pairs

in_g ethtool -X "$nic" start 1 equal 2
passes "ethtool -L: not fewer pairs than the table names" sh -c "! ip netns exec g ethtool -L $nic combined 2"
vectors "ethtool -L: what was refused has changed nothing" 5 1
in_g ethtool -X "$nic" equal 2
passes "ethtool -L: as many as the table names" in_g ethtool -L "$nic" combined 2
vectors "ethtool -L: the table is still in force" 5 1
is "$(table)" "$(spread 0 1)" "ethtool -L: the table is what was set"
in_g ethtool -L "$nic" combined 3
is "$(table)" "$(spread 0 1)" "ethtool -L: and stays so when there are more pairs"
in_g ethtool -X "$nic" default hkey $KEY
is "$(table)" "$(spread 0 1 2)" "ethtool -X default: the table is spread over the pairs"
in_g ethtool -L "$nic" combined 2
is "$(table)" "$(spread 0 1)" "ethtool -L: a table that nobody set follows"
vectors "ethtool -L: and is in force, with the key that was set" 5 1
in_g ethtool -L "$nic" combined 3

# ------------------------------------------------------------- what the guest sends

# follows PORT CPU: of 50 datagrams of a flow that are answered on that CPU, how
# many come to its pair; the first one cannot know
follows()
{
	local before
	before=$(received)
	udp $H4 "$1" $G4 "$2" 50 || echo lost
	read -ra got <<<"$(since "$before")"
	echo "${got[$3]} of $((got[0] + got[1] + got[2]))"
}
for cpu in 0 1 2; do
	in_g taskset -c $cpu "$TRAFFIC" serve $((7100 + cpu)) >/dev/null 2>&1 &
	servers+=($!)
	await "a server" "$TRAFFIC" udp $G4 $((7100 + cpu)) 1 100 1
done
# control: with a table flows do not follow
in_g ethtool -X "$nic" weight 1 0 0
is "$(follows 6001 7102 2) $(follows 6002 7101 1)" "0 of 50 0 of 50" "with a table flows stay where it says"
passes "ethtool -X default" in_g ethtool -X "$nic" default
# all_follow PORT PORT CPU: of 50; sets came
all_follow()
{
	came=$(follows "$@")
	[[ $came =~ ^(49|50)\ of\ 50$ ]]
}
passes "without a table a flow comes to its consumer's CPU" await "flows follow" all_follow 6000 7102 2
bad=0
for port in 6010 6011 6012 6013; do
	for cpu in 0 1 2; do
		all_follow $port $((7100 + cpu)) $cpu || { bad=$((bad + 1)); note "port $port, CPU $cpu: $came"; }
	done
done
is "$bad" 0 "without a table each of twelve flows comes to its consumer's CPU, from the second packet on"
# the consumer moves: so does the flow, if it has not moved just before
pid=$(pgrep -nf "traffic serve 7100")
taskset -cp 1 "$pid" >/dev/null
passes "the flow follows its consumer to another CPU" await "the flow follows" all_follow 6013 7100 1

# ... and again, which it may, since no bulk data moves: at once
bad=0
for cpu in 2 0 1 2; do
	taskset -cp $cpu "$pid" >/dev/null
	all_follow 6013 7100 $cpu || { bad=$((bad + 1)); note "CPU $cpu: $came"; }
done
is "$bad" 0 "the flow follows wherever its consumer goes, from the second packet on"

# RPS of the host, for what pair 1 sends only; RFS is set for each queue, too
# handed CPU: of 50 datagrams that are sent there, how many were handed over to CPU 0
handed()
{
	local before
	before=$(handed_over)
	in_g taskset -c "$1" "$TRAFFIC" udp $H4 7200 50 600 1 >/tmp/udp 2>&1 || echo lost
	echo $(($(handed_over) - before))
}
handed_over()
{
	echo $((16#$(awk '$13 == "00000000" { print $10 }' /proc/net/softnet_stat)))
}
taskset -c 0 "$TRAFFIC" serve 7200 >/dev/null 2>&1 &
servers+=($!)
await "a server" in_g "$TRAFFIC" udp $H4 7200 1 100 1
is "$(handed 1) $(handed 2)" "0 0" "RPS off: what the guest sends is received where it is served"
echo 1 >/sys/class/net/v0/queues/rx-1/rps_cpus
is "$(handed 1) $(handed 2)" "50 0" "RPS on queue 1: the host hands over what pair 1 sends, and nothing else"
echo 0 >/sys/class/net/v0/queues/rx-1/rps_cpus

# Who sends a stream moves to another CPU, and so to another pair, all the time.  A
# packet that overtakes another makes TCP send that one once more.  One stream in thirty
# has such a packet: a pair that has been answered all that it sent is left, and the host
# answers what it has copied before it delivers it (host/devices/venet/tx.c).
tcp_count()
{
	in_g awk -v key="$1" '$1 == last { for (i = 2; i <= NF; i++) if (name[i] == key) print $i }
		{ last = $1; split($0, name) }' /proc/net/netstat /proc/net/snmp
}
whole=0 moved=0 clean=0
for stream in 1 2 3; do
	again=$(tcp_count RetransSegs)
	probes=$(tcp_count TCPLossProbes)
	in_g "$TRAFFIC" put $H4 "$PORT" $((MB * 3 / 8)) 9 >/tmp/put 2>&1 &
	sender=$!
	for ((moves = 0; ; moves++)); do
		taskset -cp $((moves % PAIRS)) "$sender" >/dev/null 2>&1 || break
	done
	wait "$sender"
	probes=$(($(tcp_count TCPLossProbes) - probes))
	again=$(($(tcp_count RetransSegs) - again))
	note "stream $stream moved $moves times; $probes loss probes, $again segments sent again"
	[[ $(</tmp/put) != "$((MB * 3 << 17)) of $((MB * 3 << 17)) "* ]] || whole=$((whole + 1))
	moved=$((moved + (moves >= 50)))
	# a probe is sent because nothing came back for long, whatever the order
	clean=$((clean + (again <= probes)))
done
is "$whole" 3 "streams from CPU to CPU: not a byte is lost or changed"
is "$moved" 3 "... each has moved, again and again"
is "$((clean >= 2))" 1 "... no packet overtakes another: TCP sends nothing again, in two of three at least"
passes "without a table: TCP, bytes, one way" "$TRAFFIC" put $G4 "$PORT" 64 5
passes "without a table: TCP, bytes, the other way" "$TRAFFIC" get $G4 "$PORT" 64 6
# the hash that steers is also told; it is secret, but the same for all of a flow
trace_on
udp $H4 6013 $G4 7101 $COUNT
like "$(traced)" "^$COUNT [0-9a-f]{8} 1\$" "without a table: one hash for all packets of a flow"

# ------------------------------------------------------- a guest with fewer CPUs

rmmod venet
echo 0 >/sys/devices/system/cpu/cpu2/online
insmod "$BUILD/guest-host/venet.ko"
await "the guest's end" has_nic
nic=$(basename /sys/bus/vbus/devices/*/net/*)
is "$(ethtool -l "$nic" | awk '$1 == "Combined:" { printf "%s ", $2 }')" "3 2 " "two CPUs: two of three pairs are in use at first"
# the scheduler tells the guest's modules when a CPU goes idle, and tells nobody else
passes "a CPU is off: the guest's modules can be unloaded" rmmod venet vbus_virtio vbus_guest
echo 1 >/sys/devices/system/cpu/cpu2/online
passes "... and the CPU works when it is back" taskset -c 2 true
nft delete table netdev quiet
peer_gone
"$VBUS" unplug v0
"$VBUS" dev del v0
"$VBUS" bus disable l0
"$VBUS" bus del l0
rmmod virtio_vdpa

# ------------------------------------------------- a guest with kernel 6.1

peer 1500
new_bus b0 2
new_venet v0 b0 pairs=2
guest c --kver 6.1 --smp 2 -- -device "$(bus_device b0)" || bail "no guest"
guest_up c 3 || bail "no traffic"
nic=$(guest_nics c 1)
guest_side=(in_guest c)
is "$(table)" "$(spread 0 1)" "6.1: ethtool -x: the table is spread over the pairs at first"
# "xfrm none": else ethtool 6.14 asks for something that 6.1 has never heard of
passes "6.1: ethtool -X: a key" in_g ethtool -X "$nic" xfrm none hkey $KEY
is "$(key)" $KEY "6.1: ethtool -x: the key is what was set"
for pair in 0 1; do
	passes "6.1: ethtool -X: all for pair $pair" in_g ethtool -X "$nic" xfrm none weight $((1 - pair)) $pair
	is "$(table)" "$(spread $pair)" "6.1: ethtool -x: the table is what was set"
	before=$(received)
	passes "6.1: pair $pair: TCP, bytes" in_g traffic get $PEER4 "$PORT" 16 $pair
	read -ra got <<<"$(since "$before")"
	is "$((got[1 - pair])) $((got[pair] > 100))" "0 1" "6.1: all of it comes to pair $pair"
done
passes "6.1: ethtool -N: the addresses of TCP only" in_g ethtool -N "$nic" rx-flow-hash tcp4 sd
is "$(in_g ethtool -n "$nic" rx-flow-hash tcp4 | grep -c 'L4 bytes')" 0 "6.1: ethtool -n: the ports do not count"
passes "6.1: ethtool -K rxhash off" in_g ethtool -K "$nic" rxhash off
passes "6.1: rxhash off: TCP, bytes" in_g traffic get $PEER4 "$PORT" 16 3

finish
