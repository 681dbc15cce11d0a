#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The interrupt for a big frame waits for others, though the guest sleeps (hold.c): as
# long as they come, and for no longer than somebody wants.  With a real guest, whose
# interrupts cost more than it takes to send the next frame.

set -uo pipefail
. tests/lab/lib.sh
. tests/lab/holds-lib.sh

FRAMES=$BUILD/tests/lab/frames
RX_USECS=500
HOLD_US=400
# A frame that comes too late ends a hold as well as its timer does, which may itself be
# late where nothing else keeps the CPU awake: a train ends it within this.
SOON_US=300

# trains WORD...: 20 of them (frames.c), to a guest that sleeps; "took" is then for how
# long the interrupt of half of those was held that found it asleep, or were to wait by
# rx-usecs.  An emulated CPU may stop for a moment between any two frames.
trains()
{
	watch "$FRAMES" train 20 50 "$@"
	took=$(awk -v us=$RX_USECS '$3 == "raised" && ($4 == "asleep" || $1 == us) { print $2 }' /tmp/holds | sort -n)
	caught=$(wc -w <<<"$took")
	# shellcheck disable=SC2086
	note "$*: $caught interrupts were held for" $took us
	took=$(middle <<<"$took")
}

load_host
new_bus s0
new_venet v0 s0
new_venet v1 s0
guest a --kver 6.12 -- -device "$(bus_device s0)" || bail "no guest"
passes "two NICs come up" await "the guest's NICs" guest_nics a 2
in_guest a 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
	cd /sys/bus/vbus/devices && for d in */net/*; do ip link set "${d##*/}" up; done'
for v in v0 v1; do
	await "link of $v" grep -q 1 /sys/class/net/$v/carrier || bail "no link"
done
second=$(in_guest a 'cd /sys/bus/vbus/devices && ls -d vbus0.1/net/*')
second=${second##*/}
echo 10000 >$CFS/buses/s0/hold_us
echo 1000 >$CFS/buses/s0/bulk_bytes
note "an interrupt costs $(interrupt_us s0) us"

trains v0:1500x1
alone=$took
is "$((caught >= 10)) $((alone > 0))" "1 1" "a big frame waits for others"
trains v0:1500x1 v0:60x1
is "$((caught >= 10)) $((4 * took < 3 * alone))" "1 1" "a small frame ends that at once"
trains v0:1500x240
long=$took
# else it ends after two interrupts' cost, which changes with what the machine does
is "$((caught >= 10)) $((long > 2 * $(interrupt_us s0) + SOON_US && long > RX_USECS + SOON_US))" "1 1" \
	"others that follow prolong it"
note "an interrupt costs $(interrupt_us s0) us by now"
echo $HOLD_US >$CFS/buses/s0/hold_us
trains v0:1500x240
is "$((caught >= 10)) $((took <= HOLD_US + SOON_US))" "1 1" "... not beyond hold_us"
echo 10000 >$CFS/buses/s0/hold_us
passes "rx-usecs $RX_USECS for the second NIC" in_guest a "ethtool -C $second rx-usecs $RX_USECS rx-frames 0"
trains v1:60x1 v0:1500x240
is "$((caught >= 10)) $((took <= RX_USECS + SOON_US))" "1 1" \
	"... nor beyond rx-usecs of another queue's frame that waits"

finish
