#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Checked streams while the guest has no memory, while the host has none, and while
# who receives them stands still: others go on, they resume by themselves, and every
# byte is right.

set -uo pipefail
. tests/lab/lib.sh
. tests/lab/endless-lib.sh

HOG=$BUILD/tests/lab/hog
AGAIN='^([3-9]|[1-9][0-9]+)$'
# the kernel is to kill nothing but the hog
echo -1000 >/proc/self/oom_score_adj

# rx_stat KEY: of the guest's NIC, all pairs
rx_stat()
{
	in_guest a "ethtool -S $nic" | awk -v key="_$1:" '$1 ~ "^rx[0-9]+" key "$" { sum += $2 } END { print sum + 0 }'
}

# guest_free: kilobytes, when what can be freed is
guest_free()
{
	in_guest a 'echo 3 >/proc/sys/vm/drop_caches; sed -n "s/^MemFree: *\([0-9]*\).*/\1/p" /proc/meminfo'
}

guest_is_free()
{
	[[ $(guest_free) -ge $(($1 - 4096)) ]]
}

load_host
peer 9000
endless_servers
new_bus b0
new_venet v0 b0
ip link set v0 mtu 9000
guest a --add "$HOG" -- -device "$(bus_device b0)" || bail "no guest"
guest_up a 2 || bail "no traffic"
nic=$(guest_nics a 1)
in_guest a "ip link set $nic mtu 9000"

# --------------------------------------------------- the guest has no memory

passes "guest: checked traffic before" in_guest a traffic get "$PEER6" "$PORT" 16 1
free=$(guest_free)
in_guest a 'sysctl -qw vm.min_free_kbytes=64'
ok "$(begin >&2; echo $?)" "guest without memory: streams both ways"
# Huge pages cannot be given back.  First to the last page, again and again.
killed=$(in_guest a 'sysctl -qw vm.nr_hugepages=1000; hog 8 3 60; sysctl -qw vm.nr_hugepages=0')
like "$killed" "$AGAIN" "guest without memory: it had to kill, again and again" ||
	in_guest a 'dmesg | grep -E "Killed process|oom-kill" | tail -n 20' | comment
in_guest a true || bail "the guest is gone: $(tail -n 20 "$RUN/a/console.log")"
note "killed $killed times, $(rx_stat starved) refills found no memory, $(rx_stat drops) packets found none"
whole "guest without memory"
passes "guest without memory: checked traffic afterwards" in_guest a traffic get "$PEER6" "$PORT" 16 1
passes "guest without memory: all of it is free again" await "free: $(guest_free) kB, before $free" guest_is_free "$free"

# ---------------------------------------------------- the host has no memory

ok "$(begin >&2; echo $?)" "host without memory: streams both ways"
reserve=$(cat /proc/sys/vm/min_free_kbytes)
sysctl -qw vm.min_free_kbytes=64 vm.nr_hugepages=10000
killed=$("$HOG" 10 3 120)
sysctl -qw vm.nr_hugepages=0 "vm.min_free_kbytes=$reserve"
like "$killed" "$AGAIN" "host without memory: it had to kill, again and again"
note "killed $killed times; of the guest's packets $(net_stat v0 rx_dropped) were dropped"
whole "host without memory"
passes "host without memory: checked traffic afterwards" in_guest a traffic put "$PEER6" "$PORT" 16 1

# ------------------------------------------------- a receiver stands still

# others SECONDS: checked streams of others, again and again; prints how many failed
others()
{
	local end=$(($(uptime_cs) + $1 * 100)) failed=0 n
	for ((n = 0; $(uptime_cs) < end; n++)); do
		in_guest a "traffic put $PEER4 $OTHER 16 $n && traffic get $PEER6 $OTHER 16 $n" >/tmp/others || {
			comment </tmp/others >&2
			failed=$((failed + 1))
		}
	done
	echo "$((n > 0)) $failed"
}

# getter_stands: there is none between two streams, and one that ends is not stopped
getter_stands()
{
	in_guest a 'killall -q -STOP getter && grep -q "^State:[[:space:]]*T" "/proc/$(pidof getter)/status"'
}

# Those of both streams for a minute: a process in the guest, and one in the peer.
ok "$(begin >&2; echo $?)" "stalled receivers: streams both ways"
passes "stalled receivers: a process of the guest stands" await "a getter" getter_stands
pkill -STOP -f "serve $PORT"
is "$(others 60)" "1 0" "stalled receivers: meanwhile others have their streams, every byte right"
is "$(in_guest a 'pidof traffic getter' | wc -w)" 2 "stalled receivers: theirs have not ended"
in_guest a 'killall -CONT getter'
pkill -CONT -f "serve $PORT"
whole "stalled receivers"

# The guest itself, for longer than TCP waits before it sends again, but not for so
# long that the guest's watchdog sees its CPU stuck (20 s).
ip addr add 10.77.0.9/24 dev br0
ok "$(begin >&2; echo $?)" "stalled guest: streams both ways"
kill -STOP "$(qemu_pid a)"
sleep 10
passes "stalled guest: the host's other traffic goes on" "$TRAFFIC" get "$PEER4" "$OTHER" 64 3
kill -CONT "$(qemu_pid a)"
whole "stalled guest"

is "$(net_stat v0 rx_errors) $(net_stat v0 tx_errors)" "0 0" "no frame was in error"
finish
