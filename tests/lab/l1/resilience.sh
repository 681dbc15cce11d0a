#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What may happen to a guest in the middle of a stream, and what is true after.

set -uo pipefail
. tests/lab/lib.sh

# start NAME: a guest on bus b0 that may reboot, the bus is device "vb"
start()
{
	guest "$1" --reboot -- -device "$(bus_device b0),id=vb"
}

# streams NAME: endless, both ways; returns when both flow
streams()
{
	local rx tx
	in_guest "$1" "for way in put get; do
		setsid traffic \$way $PEER4 $PORT 1000000 1 </dev/null >/dev/null 2>&1 & done"
	rx=$(net_stat v0 rx_bytes)
	tx=$(net_stat v0 tx_bytes)
	await "a stream from the guest" moved v0 rx_bytes "$rx" $((8 << 20)) &&
		await "a stream to the guest" moved v0 tx_bytes "$tx" $((8 << 20))
}

verified()
{
	in_guest "$1" traffic put "$PEER4" "$PORT" 32 11 && in_guest "$1" traffic get "$PEER6" "$PORT" 32 12
}

boot_id()
{
	lab/l2 -n "$1" -t 20 cat /proc/sys/kernel/random/boot_id 2>/dev/null
}

# rebooted NAME OLD: it answers and is another boot
rebooted()
{
	local id
	id=$(boot_id "$1")
	[[ -n $id && $id != "$2" ]]
}

load_host
peer 1500
new_bus b0
new_venet v0 b0

# ------------------------------------------------------------ while in use

start a || bail "no guest"
guest_up a 2 || bail "no traffic"
ok "$(streams a >&2; echo $?)" "streams both ways"
held=$(pinned)
is "$((held > 90000))" 1 "the guest's memory is pinned while it is attached"
for m in vbus_venet vbus_vdpa vbus vhost_vdpa; do
	gives EAGAIN "in use: rmmod $m is refused" rmmod "$m"
done
gives EBUSY "in use: the bus cannot be disabled" write "$CFS/buses/b0/enable" 0
says 1 '^vbus: bus b0: cannot disable it: a guest is attached$' "in use: vbus bus disable says why" \
	"$VBUS" bus disable b0
says 1 '^vbus: bus b0: a guest is attached already$' "in use: vbus run says why" "$VBUS" run b0
gives EBUSY "in use: the bus cannot be removed" rmdir "$CFS/buses/b0"
gives EBUSY "in use: the device cannot be removed" rmdir "$CFS/devices/venet/v0"
gives EBUSY "in use: another process cannot open the bus" open "$(address b0)"
is "$(cat "$CFS"/buses/b0/state)" attached "in use: the guest is still attached"
passes "in use: none of that disturbs the traffic" verified a

# ------------------------------------------------------------------ SIGKILL

for n in 1 2 3; do
	pid=$(qemu_pid a)
	guest_keep_console a
	kill -KILL "$pid"
	await "QEMU is gone" qemu_gone "$pid"
	passes "SIGKILL $n: the bus is free" await "enabled" bus_state b0 enabled
	passes "SIGKILL $n: the device is closed" await "closed" dev_state v0 enabled
	passes "SIGKILL $n: no page stays pinned" await "unpinned" nothing_pinned
	is "$(cat "$CFS"/buses/b0/memory)" 0 "SIGKILL $n: the bus has no memory"
	is "$(cat /sys/class/net/v0/carrier)" 0 "SIGKILL $n: the host's end has no carrier"
	rm -f "$RUN/a/pid"
	start a || bail "no guest"
	passes "SIGKILL $n: a new guest has the bus at once" guest_up a 2
	[[ $n -lt 3 ]] || break
	ok "$(streams a >&2; echo $?)" "SIGKILL $n: streams both ways"
done
passes "SIGKILL: checked traffic of the new guest" verified a

# ------------------------------------------------------------------- reboot

ok "$(streams a >&2; echo $?)" "reset: streams both ways"
id=$(boot_id a)
lab/qmp a system_reset
passes "reset: the guest boots again" await "another boot" rebooted a "$id"
passes "reset: its NIC comes up, the peer can ping it" guest_up a 2
passes "reset: checked traffic" verified a
is "$(((held - $(pinned)) ** 2 < 1000 ** 2))" 1 "reset: as much is pinned as before"

ok "$(streams a >&2; echo $?)" "reboot: streams both ways"
id=$(boot_id a)
in_guest a 'setsid sh -c "sleep 0.2; reboot -f" </dev/null >/dev/null 2>&1 &'
passes "reboot: the guest boots again" await "another boot" rebooted a "$id"
passes "reboot: its NIC comes up, the peer can ping it" guest_up a 2
passes "reboot: checked traffic" verified a
is "$(((held - $(pinned)) ** 2 < 1000 ** 2))" 1 "reboot: as much is pinned as before"

# ------------------------------------------------------------------- pause

# long enough for five pauses, whatever the machine
in_guest a "for way in put get; do
	setsid sh -c \"traffic \$way $PEER4 $PORT 1024 3; echo status \\\$?\" </dev/null >/tmp/\$way 2>&1 & done"
rx=$(net_stat v0 rx_bytes)
for ((i = 0; i < 5; i++)); do
	if ! await "the stream goes on" moved v0 rx_bytes "$rx" $((4 << 20)); then
		note "$(in_guest a 'cat /tmp/put /tmp/get')"
		break
	fi
	lab/qmp a stop
	bus_state b0 suspended || break
	rx=$(net_stat v0 rx_bytes)
	sleep 1
	[[ $(net_stat v0 rx_bytes) -eq $rx ]] || break
	lab/qmp a cont
	bus_state b0 attached || break
done
is "$i" 5 "pause: five times in a stream the guest is suspended, still, and attached again"
streams_done()
{
	[[ $(in_guest a 'cat /tmp/put /tmp/get' | grep -c status) -eq 2 ]]
}
passes "pause: the streams come to their end" await "end of streams" streams_done
is "$(in_guest a 'cat /tmp/put /tmp/get' | grep -c '^1073741824 of 1073741824 ')" 2 \
	"pause: not a byte is lost or changed, either way"
passes "pause: checked traffic afterwards" verified a

lab/qmp a stop
is "$(pinned)" 0 "paused: nothing is pinned"
gives EBUSY "paused: the bus cannot be disabled" write "$CFS/buses/b0/enable" 0
passes "paused: a device can be unplugged" "$VBUS" unplug v0
lab/qmp a cont
passes "paused: the guest sees that it is gone when it goes on" await "no NIC" guest_nics a 0
lab/qmp a stop
passes "paused: a device can be plugged in" "$VBUS" plug v0 b0
lab/qmp a cont
passes "paused: the guest sees it when it goes on, and it works" guest_up a 2
passes "paused: checked traffic" verified a

# --------------------------------------------------------- hotplug of the bus

for n in 1 2; do
	ok "$(streams a >&2; echo $?)" "bus hotplug $n: streams both ways"
	lab/qmp a 'device_del vb'
	passes "bus hotplug $n: the bus is free after device_del" await "enabled" bus_state b0 enabled
	passes "bus hotplug $n: the guest has lost the device" await "no NIC" guest_nics a 0
	passes "bus hotplug $n: no page stays pinned" await "unpinned" nothing_pinned
	in_guest a 'killall traffic' 2>/dev/null
	# the node can be opened again only when QEMU has let go of it
	await "the node is free" "$TRY" open "$(address b0)"
	passes "bus hotplug $n: device_add" lab/qmp a "device_add $(bus_device b0),id=vb"
	passes "bus hotplug $n: the NIC is there again, the peer can ping it" guest_up a 2
	passes "bus hotplug $n: checked traffic" verified a
done

# ------------------------------------------------- the guest's own modules

in_guest a 'rmmod venet' | comment
passes "guest rmmod venet: the device is closed" await "closed" dev_state v0 enabled
in_guest a 'rmmod vbus_virtio; rmmod vbus_guest' | comment
is "$(in_guest a 'lsmod | grep -c -e vbus -e venet')" 0 "guest: all modules are unloaded"
in_guest a 'modprobe vbus_virtio'
passes "guest modprobe vbus_virtio: all comes back" guest_up a 2
passes "guest modprobe: checked traffic" verified a

finish
