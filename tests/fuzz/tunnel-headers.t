#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Fuzz what both sides say of tunnels for a short while, VBUS_FUZZ_SECONDS or 15; and
# see whether the fuzzer finds it if a look at the headers is left out.

set -euo pipefail
. "$(dirname "$0")/lib.sh"

header=net/venet_tunnel.h

# found NAME SED-COMMAND: the header without a look
found()
{
	local copy=$bin/mutant/$1/$header
	mkdir -p "$(dirname "$copy")"
	sed "$2" "$TEST_TOP/$header" >"$copy"
	! cmp -s "$copy" "$TEST_TOP/$header" || bail "$1: nothing is left out any more"
	build "$bin/tunnel_fuzz-$1"
	fuzz "tunnel_fuzz-$1" corpus-tunnel 64
	grep -E 'tunnel_fuzz.c:[0-9]+: |ERROR: Address' <<<"$out" | head -n 1 | comment
	[[ $status -ne 0 ]] && grep -qE 'tunnel_fuzz.c:[0-9]+: |AddressSanitizer' <<<"$out" &&
		status=0 || status=1
	result "$status" "without a look at the $1 it is noticed"
}

build all
fuzz tunnel_fuzz corpus-tunnel 64
stands "no lie about a tunnel's headers is believed"
found fragments 's/!ip_is_fragment(ip)/true/'
found inner-length 's/end == start + ip->ihl \* 4/true/'
found protocol 's/ip6->nexthdr == proto/true/'
found tcp-length 's/doff >= sizeof(struct tcphdr)/true/'
found end-of-the-head 's/tcp + sizeof(struct tcphdr) > skb_headlen(skb)/false/'
finish
