#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The vbus command on a make-believe configfs: what it prints and how it exits.
# (What it does to the real one is tested in the lab: tests/lab/lifecycle.t.)

set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
make -s -C "$top/user" O="$top/build/user-native" >&2
vbus=$top/build/user-native/vbus
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export VBUS_CONFIGFS=$tmp/cfs
count=0

ok()
{
	local what=$1 status=0
	shift
	count=$((count + 1))
	"$@" || status=$?
	if [[ $status -eq 0 ]]; then
		echo "ok $count - $what"
	else
		echo "not ok $count - $what"
	fi
}

# exits STATUS PATTERN CMD...: the status, and a line of output that matches
exits()
{
	local want=$1 pattern=$2 status=0
	shift 2
	"$@" >"$tmp/out" 2>&1 || status=$?
	[[ $status -eq $want ]] && grep -qE -- "$pattern" "$tmp/out" && return
	sed "s/^/# status $status: /" "$tmp/out"
	return 1
}

names="lane doorbells in_context worker_rounds worker_wakes kicks arms signals coalesced interrupts held hold_saved spins_won spins_lost naps_won naps_lost refused"
stats()
{
	printf '%s\n' "$names" "$@" >"$VBUS_CONFIGFS/buses/b0/stats"
}

ok "without configfs it says what may be missing" \
	exits 1 'is the vbus module installed' "$vbus" show

mkdir -p "$VBUS_CONFIGFS"/{buses/b0,devices/venet/v0}
echo attached >"$VBUS_CONFIGFS/buses/b0/state"
echo /dev/vhost-vdpa-0 >"$VBUS_CONFIGFS/buses/b0/address"
echo 2 >"$VBUS_CONFIGFS/buses/b0/lanes"
echo open >"$VBUS_CONFIGFS/devices/venet/v0/state"
ln -s ../../devices/venet/v0 "$VBUS_CONFIGFS/buses/b0/v0"
stats "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16" "1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"
printf '%s\n' "lane doorbell_ns wake_ns" "0 7000 8000" "1 7100 8100" >"$VBUS_CONFIGFS/buses/b0/costs"

ok "show: a bus with its state, address and devices" \
	exits 0 '^b0 +attached +2 +/dev/vhost-vdpa-0 +v0$' "$vbus" show
ok "show is what it does without a command" \
	exits 0 '^v0 +venet +open ' "$vbus"
ok "show --json: numbers are numbers" \
	exits 0 '"hold_saved":11' "$vbus" show --json
ok "show --json: all lanes" \
	exits 0 '"lane":1' "$vbus" show --json
ok "show --stats: a line per lane" \
	exits 0 '^b0: lane=0 doorbells=1 .*refused=16 doorbell_ns=7000 wake_ns=8000$' "$vbus" show --stats

# It sleeps between its two looks, and nowhere else: then the counters change.
top_changes()
{
	local pid tries=0
	"$vbus" top --interval 1 --count 1 >"$tmp/top" &
	pid=$!
	until grep -q '^[0-9]* (vbus) S' "/proc/$pid/stat"; do
		tries=$((tries + 1))
		[[ $tries -lt 100000 ]] || return 1
	done
	stats "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14" \
		"1 2000 0 0 0 4000 0 0 0 0 0 0 0 0 0"
	wait "$pid"
	sed 's/^/# /' "$tmp/top"
	awk 'NR == 2 && $1 == "b0/1" && $2 > 1000 && $2 <= 4000 { found = 1 }
	     END { exit !found }' "$tmp/top"
}
ok "top: rates per second, the busiest lane first" top_changes

ok "no such command: usage, status 2" exits 2 "unknown command 'fly'" "$vbus" fly
ok "no such device" exits 1 "device 'v9': there is none" "$vbus" plug v9 b0
ok "no such bus" exits 1 "bus b9: there is none" "$vbus" plug v0 b9
ok "names with a slash are refused" exits 2 "not a valid name" "$vbus" bus add a/b
ok "run: a bus that does not exist" exits 1 "bus b9: there is none" "$vbus" run b9
ok "run: a bus with a guest" exits 1 "a guest is attached already" "$vbus" run b0
ok "run: a kernel that does not exist" \
	exits 1 "kernel /nonexistent: No such file" "$vbus" run b0 --kernel /nonexistent
ok "run: memory that is no number" exits 2 "'x' is not a number" "$vbus" run b0 --mem x
echo enabled >"$VBUS_CONFIGFS/buses/b0/state"
echo /dev/null >"$VBUS_CONFIGFS/buses/b0/address"
ok "run: fewer lanes than virtual CPUs: a hint, and it goes on" \
	exits 0 '^vbus: hint: bus b0 has 2 lanes for 3 virtual CPUs' "$vbus" run b0 --cpus 3 --dry-run
ok "run: as many lanes as virtual CPUs: no hint" \
	exits 1 hint sh -c "'$vbus' run b0 --cpus 2 --dry-run 2>&1 | grep hint || { echo no hint; exit 1; }"
ok "top: an interval of nothing" exits 2 "usage: vbus top" "$vbus" top --interval 0
echo "1..$count"
