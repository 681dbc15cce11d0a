#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The guest is suspended in the middle of streams.  By each guest kernel to idle, for
# which its devices go as they do for S3; when it wakes the streams go on, and every
# byte is right.  Then to RAM (S3), after which the machine is reset.
#
# A guest in the emulated L1 does not come back from S3 but boots anew, with or without
# a venet.  Then it is tested that this one works again.

set -uo pipefail
. tests/lab/lib.sh
. tests/lab/endless-lib.sh

vm_is()
{
	[[ $(lab/qmp a 'info status') == *"$1"* ]]
}

# sleeps MODE: the guest goes to sleep, which its NIC shows in either mode
sleeps()
{
	in_guest a "echo $1 >/sys/power/mem_sleep
		echo enabled >/sys/devices/platform/i8042/serio0/power/wakeup
		setsid sh -c 'sleep 0.2; echo mem >/sys/power/state; echo \$? >/tmp/woke' </dev/null >/dev/null 2>&1 &"
	await "the NIC is closed" dev_state v0 enabled || return
	[[ $1 != deep ]] || await "the guest is suspended" vm_is suspended
}

nothing_held()
{
	[[ $(cat "$CFS/buses/b0/memory") -eq 0 ]] && nothing_pinned
}

boot_id()
{
	lab/l2 -n a -t 60 cat /proc/sys/kernel/random/boot_id
}

load_host
peer 1500
endless_servers
new_bus b0
new_venet v0 b0

for kver in 6.12 6.1; do
	guest a --reboot --kver $kver -- -device "$(bus_device b0)" || bail "no guest"
	guest_up a 2 || bail "no traffic"
	for n in 1 2; do
		what="$kver, to idle $n"
		ok "$(begin >&2; echo $?)" "$what: streams both ways"
		passes "$what: the guest sleeps, its NIC is closed" sleeps s2idle
		passes "$what: meanwhile nothing of its memory is held" await "nothing is held" nothing_held
		rx=$(net_stat v0 rx_bytes)
		tx=$(net_stat v0 tx_bytes)
		lab/qmp a 'sendkey a'
		passes "$what: it wakes, and the streams resume by themselves" flowing "$rx" "$tx"
		is "$(in_guest a 'cat /tmp/woke; rm /tmp/woke')" 0 "$what: it did sleep"
		whole "$what"
	done

	what="$kver, to RAM"
	id=$(boot_id)
	ok "$(begin >&2; echo $?)" "$what: streams both ways"
	passes "$what: the guest sleeps, its NIC is closed" sleeps deep
	passes "$what: meanwhile nothing of its memory is held" await "nothing is held" nothing_held
	rx=$(net_stat v0 rx_bytes)
	tx=$(net_stat v0 tx_bytes)
	lab/qmp a system_wakeup
	if [[ $(boot_id) == "$id" ]]; then
		passes "$what: it wakes, and the streams resume by themselves" flowing "$rx" "$tx"
		whole "$what"
	else
		note "$what: the guest boots anew instead of coming back"
		passes "$what: after that its NIC works" guest_up a 2
		passes "$what: checked traffic" in_guest a traffic get "$PEER6" "$PORT" 16 1
	fi
	guest_stop a
	await "the bus is free" bus_state b0 enabled
done

finish
