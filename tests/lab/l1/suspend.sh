#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The guest is suspended in the middle of streams, to RAM (S3: the machine is reset
# and the host forgets everything) and to idle (the devices go all the same), by each
# guest kernel.  When it resumes the streams go on, and every byte is right.

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
		setsid sh -c 'echo mem >/sys/power/state; echo \$? >/tmp/woke' </dev/null >/dev/null 2>&1 &"
	await "the NIC is closed" dev_state v0 enabled || return
	[[ $1 != deep ]] || await "the guest is suspended" vm_is suspended
}

wake()
{
	if [[ $1 == deep ]]; then
		lab/qmp a system_wakeup
	else
		lab/qmp a 'sendkey a'
	fi
}

load_host
peer 1500
endless_servers
new_bus b0
new_venet v0 b0

for kver in 6.12 6.1; do
	guest a --reboot --kver $kver -- -device "$(bus_device b0)" || bail "no guest"
	guest_up a 2 || bail "no traffic"
	for mode in deep s2idle; do
		what="$kver, $mode"
		ok "$(begin >&2; echo $?)" "$what: streams both ways"
		passes "$what: the guest sleeps, its NIC is closed" sleeps $mode
		is "$(cat "$CFS/buses/b0/memory") $(pinned)" "0 0" "$what: meanwhile nothing of its memory is held"
		rx=$(net_stat v0 rx_bytes)
		tx=$(net_stat v0 tx_bytes)
		wake $mode
		passes "$what: when it wakes the streams resume by themselves" flowing "$rx" "$tx"
		is "$(in_guest a 'cat /tmp/woke; rm /tmp/woke')" 0 "$what: it did sleep"
		whole "$what"
	done
	guest_stop a
	await "the bus is free" bus_state b0 enabled
done

finish
