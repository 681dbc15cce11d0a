#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Bad input from a guest.  hostile*.c play the guest on bus h0; a second bus, in
# loop mode, carries checked traffic all the time and must not notice.

set -uo pipefail
. tests/lab/lib.sh

scenario()
{
	timeout 120 "$BUILD/tests/lab/hostile" "$(address h0)" hv0 "$1" 2>&1
}

# hostile SCENARIO WANT NAME: what came of it; then the bus is free and works
hostile()
{
	kmsg_mark
	is "$(scenario "$1")" "$2" "$3"
	await "the bus is free" bus_state h0 enabled || ok 1 "$3: the bus is free afterwards"
}

malformed()
{
	ethtool -S hv0 | awk '$1 == "guest_sent_malformed:" { print $2 }'
}

# the traffic on the other bus, for as long as the file is there
bystander()
{
	local n=0
	touch /tmp/go
	while [[ -e /tmp/go ]]; do
		ip netns exec g "$TRAFFIC" put 10.79.0.1 7001 16 $n || exit 1
		ip netns exec g "$TRAFFIC" get 10.79.0.1 7001 16 $n || exit 1
		n=$((n + 1))
	done
	echo "rounds $n"
}

load_host
load_loop
new_bus h0
new_venet hv0 h0
new_bus quiet
new_venet q quiet
echo vbus-quiet >/sys/bus/vdpa/drivers/vhost_vdpa/unbind
echo vbus-quiet >/sys/bus/vdpa/drivers/virtio_vdpa/bind
await "the loop is attached" bus_state quiet attached || bail "no loop"
await "the driver has the device" dev_state q open
nic=$(basename /sys/bus/vbus/devices/*/net/*)
ip netns add g
ip link set "$nic" netns g
ip -n g addr add 10.79.0.2/24 dev "$nic"
ip -n g link set "$nic" up
ip addr add 10.79.0.1/24 dev q
"$TRAFFIC" serve 7001 >/dev/null 2>&1 &
servers+=($!)
await "traffic on the quiet bus" ip netns exec g ping -c1 -W1 10.79.0.1 || bail "no traffic"
bystander >/tmp/bystander 2>&1 &
bystander=$!

hostile good "passed passed" "a guest that behaves passes packets both ways"

# ------------------------------------------------------------- attaching

hostile before_ok "silence" "requests and doorbells before DRIVER_OK are ignored"
hostile version "EVERSION EVERSION EVERSION OK" "another ABI version is refused, the right one is told"
logged 'bus h0: guest: ABI version 2, not 1' "another ABI version is named in the log"
hostile features "EOPNOTSUPP EOPNOTSUPP EOPNOTSUPP OK" "unknown features are refused"
logged 'bus h0: guest: unknown features 0x1' "unknown features are named in the log"
hostile page_address "EFAULT EFAULT EFAULT EFAULT EFAULT EFAULT EFAULT OK" \
	"a bus page that is unaligned, wraps or is outside of guest memory"
logged 'bus h0: guest: bus page at 0x7fff00000000 is not its memory' "the bus page's address is in the log"
hostile page_content "EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL OK" \
	"a bus page with wrong magic, lanes or slots"
logged 'bus h0: guest: bus page with 0 lanes of 64 slots' "lanes and slots are in the log"
hostile evq_address "EFAULT EFAULT EFAULT EFAULT EINVAL EINVAL EFAULT EFAULT EFAULT EFAULT OK" \
	"event queues that are unaligned, wrap or are outside of guest memory"
logged 'bus h0: guest: event queues are not its memory' "event queues outside of memory are in the log"
hostile active_address "EFAULT EFAULT EINVAL EINVAL EFAULT OK" \
	"active priorities that are unaligned, wrap or are outside of guest memory"
logged 'bus h0: guest: active priorities are not its memory' "active priorities outside of memory are in the log"
hostile evq_read_only "EFAULT EFAULT OK OK EFAULT" "memory that cannot be written is no bus page, event queue or ring"
hostile no_hello "ENOTCONN ENOTCONN ENOTCONN" "requests before HELLO"
hostile false_resume "ENOTCONN OK" "a restart of a session that never was"
logged "bus h0: the guest's session is lost" "a session that is lost is in the log"
hostile hello_twice "passed OK ENOTCONN passed passed" "a second HELLO closes all, and all can be opened again"

# --------------------------------------------------------------- requests

hostile verbs "ENOSYS ENOSYS ENOSYS EINVAL EINVAL ENODEV ENODEV ENODEV OK" "unknown verbs, short requests, slots beyond"
logged 'bus h0: guest: unknown verb 99' "an unknown verb is in the log"
hostile slots "ENODEV ENODEV ENODEV ENOTCONN OK EBUSY OK ENOTCONN OK" "devices that are not there, or opened and closed twice"
hostile calls "ENOTCONN ENOSYS ENOSYS EINVAL EINVAL nothing EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL OK EINVAL OK" \
	"unknown functions, payloads that are short, long or not there"
hostile queues "EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EINVAL EFAULT EINVAL EFAULT EFAULT EFAULT EINVAL OK EBUSY EBUSY EINVAL EINVAL OK" \
	"queues with impossible number, signal, lane, size, slots or address"
logged 'bus h0: guest: hv0: queue 64 of 2\^6 descriptors at 0x[0-9a-f]+ refused' "a refused queue is in the log"
hostile start "EINVAL EINVAL EOPNOTSUPP EOPNOTSUPP EOPNOTSUPP EOPNOTSUPP EINVAL EINVAL EINVAL OK EBUSY EINVAL" \
	"START without queues, with features or pairs that there are not, or twice"

# -------------------------------------------------------- control channel

hostile ctl_chains "0 0 0 0 0 0 0 0 0 0 0 0 0 OK" \
	"control chains that loop, are too long, or lead out of the ring or the memory"
logged 'bus h0: guest: malformed control request \(-40\)' "a chain that loops is in the log"
# a kind of message may come ten times in five seconds, and just did
sleep 6
hostile ctl_index "silence OK" "an index that is ahead of the ring"
logged 'bus h0: guest: control queue is broken \(-22\)' "an impossible index is in the log"
hostile ctl_desc_outside "answer" "control descriptors outside of guest memory"
logged 'bus h0: guest: malformed control request \(-14\)' "control descriptors outside are in the log"
hostile ctl_avail_outside "silence" "an available ring outside of guest memory"
logged 'bus h0: guest: control queue is broken \(-14\)' "an available ring outside is in the log"
hostile ctl_used_outside "silence" "a used ring that wraps"
logged 'bus h0: guest: control queue is broken \(-14\)' "a used ring that wraps is in the log"
hostile ctl_size "refused refused refused refused OK" "a control queue of 0, 48, 32768 or 65536 entries"

# --------------------------------------------------------------- transmit

errors=$(malformed)
hostile tx_addresses "error error error error error passed" "transmit: addresses outside, beyond the end, wrapped"
logged 'hv0: malformed packet from the guest' "a malformed packet is in the log"
is "$(($(malformed) - errors))" 5 "each malformed packet is counted"
hostile tx_lengths "error error error error error error passed" "transmit: lengths of 0, too long, wrapped"
hostile tx_chains "error error passed" "transmit: a chain that is too long, a chain without its end"
hostile tx_endless "error passed" "transmit: a chain as long as the ring"
hostile tx_inline "error error error done passed" "transmit: inline pieces that are too long"
hostile tx_meta "error error error error error error error error error error passed" \
	"transmit: impossible checksum and segmentation"
hostile tx_meta_not_agreed "error error passed" "transmit: offloads that were not agreed on"
hostile close_in_use "passed" "queues and device are taken away while packets are under way"
hostile exit "gone" "a process that ends in the middle of it"

# ---------------------------------------------------------------- receive

sleep 6
hostile rx_buffers "error error error error error passed then passed" \
	"receive: buffers outside, beyond the end, wrapped, too small"
logged "hv0: the guest's receive buffers are not its memory" "bad receive buffers are in the log"
hostile rx_never "held passed goes on" "receive: a guest that takes nothing holds only its own packets"

# ------------------------------------------------- event queues, doorbells

hostile evq_ids "consumed passed" "events: unknown signals, another queue's, the bus's own"
hostile evq_positions "answered OK" "events: impossible positions of the consumer"
hostile active_words "answered OK" "events: impossible active priorities"
hostile flood "flooded passed OK" "a flood of doorbells"
like "$(scenario scribble)" '^[A-Z]+ [A-Z]+ OK passed passed$' \
	"random writes to everything shared, then a new session works"
await "the bus is free" bus_state h0 enabled || ok 1 "the bus is free after random writes"

# ----------------------------------------------------------------- memory

hostile unmap "ENOTCONN OK passed" "memory that is taken away ends the session, a new one works"
hostile remap "passed passed" "memory that comes and goes elsewhere does not disturb"

# --------------------------------------------------------- after all that

hostile good "passed passed" "a guest that behaves still passes packets both ways"
is "$(dmesg | grep -c 'malformed control request')" "$(dmesg | grep 'malformed control request' | head -n 25 | wc -l)" \
	"the log is not flooded"
passes "nothing stays pinned" await "unpinned" nothing_pinned
rm /tmp/go
wait "$bystander"
is "$?" 0 "the traffic on the other bus went on all the time, every byte right"
like "$(tail -n1 /tmp/bystander)" '^rounds [0-9]*[1-9][0-9]*$' "there was such traffic" || comment </tmp/bystander
note "$(tail -n1 /tmp/bystander)"

finish
