#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Guests on stock QEMU: devices that come and go while they run, traffic of each
# kind to a peer behind a bridge, and what a stream costs in exits, interrupts
# and doorbells.

set -uo pipefail
. tests/lab/lib.sh

# traffic_each_way GUEST N WHAT MB: TCP and UDP, IPv4 and IPv6, of checked bytes
traffic_each_way()
{
	local guest=$1 what=$3 mb=$4
	passes "$what: ping by IPv4" in_guest "$guest" ping -c 3 -W 20 "$PEER4"
	passes "$what: ping by IPv6" in_guest "$guest" ping -c 3 -W 20 "$PEER6"
	passes "$what: TCP by IPv4, guest to peer, $mb MiB" in_guest "$guest" traffic put "$PEER4" $PORT "$mb" 1
	passes "$what: TCP by IPv4, peer to guest, $mb MiB" in_guest "$guest" traffic get "$PEER4" $PORT "$mb" 2
	passes "$what: TCP by IPv6, guest to peer, $mb MiB" in_guest "$guest" traffic put "$PEER6" $PORT "$mb" 3
	passes "$what: TCP by IPv6, peer to guest, $mb MiB" in_guest "$guest" traffic get "$PEER6" $PORT "$mb" 4
	passes "$what: UDP by IPv4, each way" in_guest "$guest" traffic udp "$PEER4" $PORT 300 8000 5
	passes "$what: UDP by IPv6, each way" in_guest "$guest" traffic udp "$PEER6" $PORT 300 8000 6
}

# KVM's exits to the process that runs the virtual CPU, since tracing began
tracing=/sys/kernel/tracing

userspace_exits()
{
	sed -n 's/.*Hits: *\([0-9]*\).*/\1/p; s/^Totals:.*//p' "$tracing/events/kvm/kvm_userspace_exit/hist" |
		tail -n1
}

load_host
peer 1500


# ------------------------------------------------------- 6.12: hotplug, cost

new_bus b0
guest a --kver 6.12 -- -device "$(bus_device b0)" || bail "no guest"
passes "6.12: the guest attaches to a bus without devices" await "attached" bus_state b0 attached
in_guest a 'lsmod | grep -q "^venet "'
is "$?" 1 "6.12: the driver is not loaded before there is a device"
like "$(cat "$CFS"/buses/b0/memory)" '^[0-9]{9}$' "bus: memory reads what the guest has"
is "$(echo "/sys/kernel/debug/kvm/$(qemu_pid a)"-*/exits | wc -w)" 1 "the guest runs on KVM"

new_venet v0 b0
passes "6.12: a device that is plugged in appears, its driver loads" await "a NIC" guest_nics a 1
passes "6.12: device state is open" await "open" dev_state v0 open
passes "6.12: the NIC comes up, the peer can ping it" guest_up a 2
traffic_each_way a 2 "6.12, MTU 1500" 64
passes "6.12: 1 GiB from guest to peer" in_guest a traffic put "$PEER4" $PORT 1024 7
passes "6.12: 1 GiB from peer to guest" in_guest a traffic get "$PEER4" $PORT 1024 8

# The guest says that its CPU sleeps only when it does, so that hardly any interrupt of a
# stream finds a program running.  (Some must: those that came too late for the last look,
# and those that were held as long as may be.)
hold_us=$(<"$CFS/buses/b0/hold_us")
echo 10000 >"$CFS/buses/b0/hold_us"
irqs=$(guest_lane_stat a 0 interrupts)
disturbed=$(guest_lane_stat a 0 disturbed)
passes "6.12: another GiB from peer to guest" in_guest a traffic get "$PEER4" $PORT 1024 9
irqs=$(($(guest_lane_stat a 0 interrupts) - irqs))
disturbed=$(($(guest_lane_stat a 0 disturbed) - disturbed))
note "$irqs interrupts, $disturbed of them while the CPU was busy"
is "$((disturbed * 7 < irqs))" 1 "6.12: less than a seventh of a stream's interrupts disturb a program"
echo "$hold_us" >"$CFS/buses/b0/hold_us"

# Exits to QEMU in a stream, beside those in as long a time without one.  The
# stream runs in the background and nothing is asked of the guest meanwhile.
echo 'hist:keys=reason' >"$tracing/events/kvm/kvm_userspace_exit/trigger"
agent_exits()
{
	in_guest a 'echo hello >/dev/console'
	[[ $(userspace_exits) -gt 0 ]]
}

count_exits()
{
	local before
	before=$(userspace_exits)
	sleep 5
	echo $(($(userspace_exits) - ${before:-0}))
}
passes "the count of exits to userspace works: the serial port causes some" agent_exits
idle=$(count_exits)
for way in put get; do
	key=rx_bytes
	[[ $way == put ]] || key=tx_bytes
	in_guest a "setsid traffic $way $PEER4 $PORT 100000 9 </dev/null >/dev/null 2>&1 &"
	from=$(net_stat v0 $key)
	await "the stream begins" moved v0 $key "$from" $((8 << 20))
	from=$(net_stat v0 $key)
	irqs=$(lane_stat b0 0 interrupts)
	bells=$(lane_stat b0 0 doorbells)
	exits=$(count_exits)
	bytes=$(($(net_stat v0 $key) - from))
	in_guest a killall traffic
	note "$way: $((bytes >> 20)) MiB, $exits exits to userspace (idle: $idle)," \
		"$(($(lane_stat b0 0 interrupts) - irqs)) interrupts," \
		"$(($(lane_stat b0 0 doorbells) - bells)) doorbells"
	is "$((bytes > 16 << 20))" 1 "a stream flows while exits are counted, $way"
	# what else the guest has to do may cause one or another; a venet that
	# did would cause hundreds
	is "$((exits <= idle + 5))" 1 "no exit to userspace is caused by a stream, $way"
done
echo '!hist:keys=reason' >"$tracing/events/kvm/kvm_userspace_exit/trigger"

"$VBUS" unplug v0
passes "6.12: a device that is unplugged is gone in the guest" await "no NIC" guest_nics a 0
for ((i = 0; i < 10; i++)); do
	"$VBUS" plug v0 b0
	await "a NIC" guest_nics a 1 || break
	"$VBUS" unplug v0
	await "no NIC" guest_nics a 0 || break
done
is "$i" 10 "6.12: ten times plugged and unplugged while the guest runs"
"$VBUS" plug v0 b0
guest_up a 2
in_guest a "setsid traffic put $PEER4 $PORT 100000 9 </dev/null >/dev/null 2>&1 &"
from=$(net_stat v0 rx_bytes)
await "the stream begins" moved v0 rx_bytes "$from" $((8 << 20))
passes "6.12: unplug in the middle of a stream" "$VBUS" unplug v0
passes "6.12: the NIC is gone in the middle of a stream" await "no NIC" guest_nics a 0
in_guest a killall traffic
"$VBUS" plug v0 b0
guest_up a 2
passes "6.12: the same device plugged in again works" in_guest a traffic get "$PEER4" $PORT 16 10

# ------------------------------------------------ four devices, one lane

for i in 1 2 3; do
	new_venet v$i b0
done
passes "four: the guest has four NICs" await "four NICs" guest_nics a 4
n=0
for nic in $(guest_nics a 4); do
	in_guest a "ip addr flush dev $nic; ip link set $nic up; ip addr add 10.78.$n.2/24 dev $nic"
	n=$((n + 1))
done
# each NIC has its own subnet, so that each carries what is sent to its peer
for n in 0 1 2 3; do
	ip -n peer addr add 10.78.$n.1/24 dev eth0
done
bad=0
for n in 0 1 2 3; do
	in_guest a "traffic get 10.78.$n.1 $PORT 16 $n" >/dev/null || bad=1
	in_guest a "traffic put 10.78.$n.1 $PORT 16 $n" >/dev/null || bad=1
done
is "$bad" 0 "four: each carries checked traffic both ways"
is "$(in_guest a 'grep -cE "vbus" /proc/interrupts')" 2 \
	"four: the guest has one vector for the lane and one for the control channel"
in_guest a 'grep vbus /proc/interrupts' | comment
# interrupts that the guest took, the driver's own count of those, and the control
# channel's: a request there interrupts as well
guest_took()
{
	in_guest a 'awk "/vbus.*lane0/ { v = \$2 } /vbus.*ctl/ { c = \$2 }
		FILENAME ~ /lane_stats/ && \$1 == \"0\" { d = \$2 }
		END { print v, d, c }" /proc/interrupts /sys/bus/vbus/devices/vbus0/lane_stats'
}
irqs=$(lane_stat b0 0 interrupts)
read -r vectors driver ctl < <(guest_took)
bells=$(lane_stat b0 0 doorbells)
kicks=$(lane_stat b0 0 kicks)
in_guest a "for n in 0 1 2 3; do traffic get 10.78.\$n.1 $PORT 32 1 & traffic put 10.78.\$n.1 $PORT 32 2 & done; wait" |
	grep -c '^33554432 of 33554432 ' >/tmp/right
is "$(cat /tmp/right)" 8 "four: all at the same time, both ways, all bytes right"
read -r v d c < <(guest_took)
vectors=$((v - vectors)) driver=$((d - driver)) ctl=$((c - ctl))
irqs=$(($(lane_stat b0 0 interrupts) - irqs))
bells=$(($(lane_stat b0 0 doorbells) - bells))
kicks=$(($(lane_stat b0 0 kicks) - kicks))
note "host: $irqs interrupts raised, $bells doorbells, $kicks signals taken; guest: $vectors interrupts taken, $ctl of the control channel"
is "$driver" "$vectors" "four: the driver counts each interrupt of the lane's vector"
is "$((vectors > 0 && vectors <= irqs))" 1 "four: every interrupt of it is one that the host counts"
is "$((bells <= kicks + 8))" 1 "four: one doorbell serves the signals of all"
guest_stop a
for i in 1 2 3; do
	"$VBUS" unplug v$i
	"$VBUS" dev del v$i
done
for n in 0 1 2 3; do
	ip -n peer addr del 10.78.$n.1/24 dev eth0
done
passes "the bus is free when the guest has ended" await "enabled" bus_state b0 enabled
passes "nothing is pinned when the guest has ended" await "unpinned" nothing_pinned

# -------------------------------------------- 6.1, MTU 9000, unprivileged

"$VBUS" unplug v0
"$VBUS" dev del v0
peer_mtu 9000
new_venet v0 b0 mtu=9000
chown nobody "$(address b0)" /dev/kvm
guest c --kver 6.1 --user nobody -- -device "$(bus_device b0)" || bail "no guest"
is "$(stat -c %U "/proc/$(qemu_pid c)")" nobody "QEMU runs unprivileged"
passes "6.1: the NIC comes up, the peer can ping it" guest_up c 3
nic=$(guest_nics c 1)
is "$(in_guest c "cat /sys/class/net/$nic/mtu")" 9000 "6.1: the guest takes over the device's MTU"
is "$(in_guest c "cat /sys/class/net/$nic/address")" "$(cat "$CFS"/devices/venet/v0/mac)" \
	"6.1: the guest takes over the device's address"
passes "6.1, MTU 9000: a packet of 9000 bytes is not cut" in_guest c ping -c 2 -W 20 -s 8972 "$PEER4"
traffic_each_way c 3 "6.1, MTU 9000" 64
in_guest c "ip link set $nic mtu 1500"
peer_mtu 1500
ip link set v0 mtu 1500
traffic_each_way c 3 "6.1, MTU 1500" 32
echo 0 >"$CFS"/devices/venet/v0/link
passes "6.1: link 0 takes the guest's carrier" await "no carrier" in_guest c "grep -q 0 /sys/class/net/$nic/carrier"
echo 1 >"$CFS"/devices/venet/v0/link
passes "6.1: link 1 gives it back" await "carrier" in_guest c "grep -q 1 /sys/class/net/$nic/carrier"
guest_stop c

# --------------------------------------------------- 6.12 with MTU 9000

"$VBUS" unplug v0
"$VBUS" dev del v0
peer_mtu 9000
new_venet v0 b0 mtu=9000
# QEMU runs in a cgroup, which pays for the worker
cgroups=/sys/fs/cgroup
mountpoint -q $cgroups || mount -t cgroup2 none $cgroups
echo +cpu >$cgroups/cgroup.subtree_control
mkdir $cgroups/vm
worker=$(pgrep -x vbus/b0/0)
worker_cgroup()
{
	cat "/proc/$worker/cgroup"
}
is "$(worker_cgroup)" 0::/ "cgroup: without a guest the worker is the host's"
(echo $BASHPID >$cgroups/vm/cgroup.procs
	guest d --kver 6.12 -- -device "$(bus_device b0)") || bail "no guest"
is "$(worker_cgroup)" 0::/vm "cgroup: the worker has joined QEMU's"
passes "6.12, MTU 9000: the NIC comes up" guest_up d 4
used=$(cut -d' ' -f1 "/proc/$worker/schedstat")
traffic_each_way d 4 "6.12, MTU 9000" 64
used=$(($(cut -d' ' -f1 "/proc/$worker/schedstat") - used))
is "$((used > 0))" 1 "cgroup: the worker has worked there, for $((used / 1000000)) ms"
guest_stop d
passes "cgroup: the worker goes back when the guest has ended" await "the host's" grep -qx 0::/ "/proc/$worker/cgroup"
passes "cgroup: nothing is left in QEMU's" await "empty" rmdir $cgroups/vm

# --------------------------------------------------------------- vbus run

image=$BUILD/lab/guest-6.12
"$VBUS" run b0 --kernel "/boot/vmlinux-$(<"$image/release")" --initrd "$image/initrd" \
	--mem 384 --append "console=ttyS0 loglevel=4 mitigations=off no_timer_check" \
	-- -cpu host,-xsave -display none -serial file:/tmp/run.log \
	</dev/null >/tmp/run.out 2>&1 &
pid=$!
passes "vbus run: its guest attaches to the bus" await "attached" bus_state b0 attached
is "$(cat /proc/$pid/comm)" qemu-system-x86 "vbus run: the process has become QEMU"
kill $pid
wait $pid
is "$?" 0 "vbus run: it ends as QEMU does"
passes "vbus run: the bus is free afterwards" await "enabled" bus_state b0 enabled
comment </tmp/run.out

finish
