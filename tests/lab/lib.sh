# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Functions of the tests that run in L1.  Source it after "set -uo pipefail"
# (not -e: a test that fails is a line of TAP, not the end).
#
# A test script is a sequence of checks; "finish" is its last command: it takes
# everything down, looks for leaks and for complaints of the kernels, and only
# then writes the plan.  A script that dies before has no plan, so it fails.
#
# Topology of the tests with traffic:
#
#	guest (or namespace "g")      L1                     namespace "peer"
#	  venet  <---- bus ---->  venet -- br0 -- peer0  <----> eth0
#	  10.77.0.N, fd77::N                                 10.77.0.1, fd77::1

BUILD=/src/build
CFS=/sys/kernel/config/vbus
VBUS=$BUILD/user/vbus
TRAFFIC=$BUILD/tests/lab/traffic
TRY=$BUILD/tests/lab/try
RUN=/run/vbus-lab
PORT=7000
PEER4=10.77.0.1
PEER6=fd77::1
# Everything runs under emulation, on a machine that may be busy.
PATIENCE=90

cd /src || exit 1
ulimit -l unlimited
tap_count=0
tap_failed=0
exec {nap_fd}<> <(:)
dmesg -n 4

# ---------------------------------------------------------------------- TAP

comment()
{
	local line
	while IFS= read -r line; do
		printf '# %s\n' "$line"
	done
}

note()
{
	comment <<<"$*"
}

bail()
{
	printf 'Bail out! %s\n' "$*"
	dmesg | tail -n 20 | comment
	exit 1
}

# ok STATUS NAME: 0 is well.
ok()
{
	tap_count=$((tap_count + 1))
	if [[ $1 -eq 0 ]]; then
		printf 'ok %d - %s\n' "$tap_count" "$2"
	else
		printf 'not ok %d - %s\n' "$tap_count" "$2"
		tap_failed=1
	fi
	return "$1"
}

# is GOT WANT NAME
is()
{
	local status=0
	[[ $1 == "$2" ]] || status=1
	ok "$status" "$3" || note "got: '$1'"$'\n'"want: '$2'"
	return "$status"
}

# like GOT REGEX NAME
like()
{
	local status=0
	[[ $1 =~ $2 ]] || status=1
	ok "$status" "$3" || note "got: '$1'"$'\n'"want: $2"
	return "$status"
}

# passes NAME CMD...: its output is shown only if it fails.
passes()
{
	local name=$1 out status=0
	shift
	out=$("$@" 2>&1) || status=$?
	ok $((status != 0)) "$name" || note "$*"$'\n'"status $status: $out"
	return "$status"
}

# gives ERRNO NAME SYSCALL ARG...: see try.c
gives()
{
	local want=$1 name=$2
	shift 2
	is "$("$TRY" "$@" 2>&1)" "$want" "$name"
}

# says STATUS REGEX NAME CMD...: one line that matches, and that exit status.
says()
{
	local want=$1 regex=$2 name=$3 out status=0 bad=0
	shift 3
	out=$("$@" 2>&1) || status=$?
	[[ $status -eq $want && $out =~ $regex && $out != *$'\n'* ]] || bad=1
	ok "$bad" "$name" || note "$*"$'\n'"status $status, want $want; '$out', want $regex"
	return "$bad"
}

# ------------------------------------------------------------------ waiting

nap()
{
	read -rt 0.1 -u "$nap_fd" _ || :
}

uptime_cs()
{
	local up _
	read -r up _ </proc/uptime
	echo "$((10#${up/./}))"
}

# await WHAT CMD...: until CMD succeeds; says so if it never does.
await()
{
	local what=$1 end=$(($(uptime_cs) + PATIENCE * 100))
	shift
	until "$@" >/dev/null 2>&1; do
		if [[ $(uptime_cs) -ge $end ]]; then
			note "after $PATIENCE s: $what"
			return 1
		fi
		nap
	done
}

# settled CMD [ARG...]: what it prints, when it has printed the same twice: for counters
# that are read one after the other
settled()
{
	local last='' now
	until now=$("$@"); [[ $now == "$last" ]]; do
		last=$now
	done
	echo "$now"
}

# ------------------------------------------------------------------- kernel

loaded()
{
	[[ -d /sys/module/$1 ]]
}

load_host()
{
	local m
	modprobe vhost_vdpa || bail "no vhost_vdpa"
	for m in vbus vbus_vdpa vbus_venet; do
		insmod "$BUILD/host/$m.ko" || bail "cannot load $m"
	done
}

load_loop()
{
	local m
	modprobe virtio_vdpa || bail "no virtio_vdpa"
	for m in vbus_guest vbus_virtio venet; do
		insmod "$BUILD/guest-host/$m.ko" || bail "cannot load $m"
	done
}

# loop_attach BUS: to the guest's side in this kernel
loop_attach()
{
	[[ ! -e /sys/bus/vdpa/drivers/vhost_vdpa/vbus-$1 ]] ||
		echo "vbus-$1" >/sys/bus/vdpa/drivers/vhost_vdpa/unbind
	echo "vbus-$1" >/sys/bus/vdpa/drivers/virtio_vdpa/bind
}

# kmsg_mark: remember where the log is; kmsg_since: what came since.
kmsg_mark()
{
	kmsg_id="vbus-test-mark-$tap_count-$RANDOM"
	echo "$kmsg_id" >/dev/kmsg
}

kmsg_since()
{
	dmesg | sed "1,/$kmsg_id/d"
}

kmsg_has()
{
	kmsg_since | grep -qE -- "$1"
}

# logged REGEX NAME: the kernel said it since the mark.
logged()
{
	local status=0
	kmsg_has "$1" || status=1
	ok "$status" "$2" || kmsg_since | tail -n 5 | comment
}

# What a kernel says when something is wrong with it.  "Call Trace" is not in
# the list: each of these brings one.
SPLAT='WARNING:|BUG:|Oops|general protection|kernel BUG|possible (circular|recursive)|INFO: possible|suspicious RCU|inconsistent lock|refcount_t|NETDEV WATCHDOG|blocked for more than|unregister_netdevice|scheduling while atomic|sleeping function|Bad page|UBSAN|KASAN|list_(add|del) corruption|leaked|page_pool_release_retry'
# A virtual CPU that another program keeps from running for 20 s looks like a
# stall to the kernel in it, and under emulation on a busy machine that happens.
# So a stall counts only if our code is in what it shows.
STALL='detected stall|soft lockup|hard LOCKUP|rcu_.*kthread starved'

# splats FILE NAME: nothing of that kind in the log.
splats()
{
	local found
	found=$(grep -nE "$SPLAT" "$1" | grep -vE "$STALL")
	if grep -qE "$STALL" "$1"; then
		if grep -A60 -E "$STALL" "$1" | grep -qE '\[(vbus|venet)|vbus_|venet_'; then
			found+=$'\n'$(grep -nE "$STALL" "$1")
		else
			note "$2: a stall without our code in it, which emulation causes"
		fi
	fi
	[[ -z $found ]]
	ok $? "$2" && return
	local line=${found%%:*}
	sed -n "$((line > 3 ? line - 3 : 1)),$((line + 40))p" "$1" | comment
	return 1
}

vmstat()
{
	awk -v key="$1" '$1 == key { print $2 }' /proc/vmstat
}

pinned()
{
	# each CPU counts for itself, for up to a second
	echo 1 >/proc/sys/vm/stat_refresh
	echo $(($(vmstat nr_foll_pin_acquired) - $(vmstat nr_foll_pin_released)))
}

nothing_pinned()
{
	# each CPU counts for itself, for up to a second
	echo 1 >/proc/sys/vm/stat_refresh
	[[ $(pinned) -eq 0 ]]
}

# -------------------------------------------------------------------- buses

# new_bus NAME [LANES]: made and enabled
new_bus()
{
	"$VBUS" bus add "$1" --lanes "${2:-1}" || bail "cannot make bus $1"
	"$VBUS" bus enable "$1" || bail "cannot enable bus $1"
}

# new_venet NAME BUS [ATTR=VALUE...]: one pair; its host end is a port of br0 if that is
new_venet()
{
	local name=$1 bus=$2
	shift 2
	"$VBUS" dev add "venet/$name" pairs=1 "$@" || bail "cannot make $name"
	"$VBUS" plug "$name" "$bus" || bail "cannot plug $name"
	[[ ! -d /sys/class/net/br0 ]] || ip link set "$name" master br0
	sysctl -qw "net.ipv6.conf.$name.disable_ipv6=1"
	ip link set "$name" up
}

address()
{
	cat "$CFS/buses/$1/address"
}

bus_state()
{
	[[ $(cat "$CFS/buses/$1/state") == "$2" ]]
}

dev_state()
{
	[[ $(cat "$CFS/devices/venet/$1/state") == "$2" ]]
}

# lane_of_table LANE KEY: from a table of lanes in stdin, names in its first line
lane_of_table()
{
	awk -v lane="$1" -v key="$2" '
		NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i }
		NR > 1 && $1 == lane { print $column[key] }'
}

# lane_stat BUS LANE KEY
lane_stat()
{
	lane_of_table "$2" "$3" <"$CFS/buses/$1/stats"
}

# guest_lane_stat GUEST LANE KEY: the guest's own, of its only bus
guest_lane_stat()
{
	in_guest "$1" 'cat /sys/bus/vbus/devices/vbus*/lane_stats' | lane_of_table "$2" "$3"
}

net_stat()
{
	cat "/sys/class/net/$1/statistics/$2"
}

# moved IFNAME KEY FROM BYTES: the counter is that much further
moved()
{
	[[ $(net_stat "$1" "$2") -ge $(($3 + $4)) ]]
}

# ------------------------------------------------------------- the peer

servers=()

# peer [MTU]: bridge and namespace, with a server of checked traffic in it
peer()
{
	local mtu=${1:-1500}
	modprobe -a bridge veth
	ip netns add peer
	ip link add br0 type bridge mcast_snooping 0
	sysctl -qw net.ipv6.conf.br0.disable_ipv6=1
	ip link add peer0 mtu "$mtu" type veth peer name eth0 netns peer
	ip link set br0 mtu "$mtu" up
	sysctl -qw net.ipv6.conf.peer0.disable_ipv6=1
	ip link set peer0 master br0 up
	ip -n peer link set lo up
	ip -n peer link set eth0 mtu "$mtu" up
	ip -n peer addr add "$PEER4/24" dev eth0
	ip -n peer addr add "$PEER6/64" dev eth0 nodad
	server peer
}

# server NAMESPACE
server()
{
	ip netns exec "$1" "$TRAFFIC" serve "$PORT" >/dev/null 2>&1 &
	servers+=($!)
}

peer_mtu()
{
	ip -n peer link set eth0 mtu "$1"
	ip link set peer0 mtu "$1"
	ip link set br0 mtu "$1"
}

peer_run()
{
	ip netns exec peer "$@"
}

peer_gone()
{
	local pid
	for pid in "${servers[@]}"; do
		pkill -P "$pid" traffic
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	servers=()
	pkill -x traffic
	ip link del br0 2>/dev/null
	ip netns del g 2>/dev/null
	ip netns del peer 2>/dev/null
	:
}

# ------------------------------------------------------------------- guests

bus_device()
{
	echo "vhost-vdpa-device-pci,vhostdev=$(address "$1"),disable-legacy=on,modern-pio-notify=on"
}

# guest NAME [OPTION...] -- [QEMU-ARG...]: our program is in it
guest()
{
	local out
	if ! out=$(lab/guest-start "$1" --timeout 240 --add "$TRAFFIC" "${@:2}" 2>&1); then
		note "$out"
		return 1
	fi
	rm -f "$RUN/$1/dmesg"
}

# in_guest NAME CMD...
in_guest()
{
	lab/l2 -n "$1" -t "${GUEST_SECONDS:-300}" "${@:2}"
}

# guest_nics NAME N: the guest has that many interfaces of ours; prints them
guest_nics()
{
	local nics
	nics=$(in_guest "$1" 'cd /sys/bus/vbus/devices 2>/dev/null && ls -d */net/* | sed "s,.*/,,"')
	[[ $(wc -w <<<"$nics") -eq $2 ]] && echo "$nics"
}

# guest_up NAME N [IFNAME]: addresses for the guest's NIC
guest_up()
{
	local nic=${3:-}
	if [[ -z $nic ]]; then
		await "the guest sees its device" guest_nics "$1" 1 || return 1
		nic=$(guest_nics "$1" 1)
	fi
	in_guest "$1" "ip addr add 10.77.0.$2/24 dev $nic; ip addr add fd77::$2/64 dev $nic nodad
		ip link set lo up; ip link set $nic up"
	await "ping to 10.77.0.$2" peer_run ping -c1 -W1 "10.77.0.$2"
}

guest_serve()
{
	in_guest "$1" "setsid traffic serve $PORT </dev/null >/dev/null 2>&1 &"
}

# guest_stop NAME: its log is kept for the end; what its console has, if it is gone
guest_stop()
{
	in_guest "$1" dmesg >"/tmp/dmesg.$1.$(uptime_cs)" 2>/dev/null || guest_keep_console "$1"
	lab/guest-stop "$1" 2>&1 | comment
}

# what a guest that is killed leaves: warnings and worse are on its console
guest_keep_console()
{
	cp "$RUN/$1/console.log" "/tmp/dmesg.$1.$(uptime_cs).console"
}

qemu_pid()
{
	cat "$RUN/$1/pid"
}

qemu_gone()
{
	! kill -0 "$1" 2>/dev/null
}

# ------------------------------------------------------------------- the end

# As an administrator would: guests, links, devices, buses.
take_down()
{
	local path name
	for path in "$RUN"/*/pid; do
		[[ -e $path ]] || continue
		name=$(basename "$(dirname "$path")")
		guest_stop "$name"
	done
	# images of guests are in memory
	rm -rf "${RUN:?}"/*
	! loaded vbus_virtio || rmmod vbus_virtio 2>&1 | comment
	peer_gone
	[[ -d $CFS ]] || return 0
	for path in "$CFS"/buses/*/*; do
		[[ ! -L $path ]] || rm "$path"
	done
	for path in "$CFS"/devices/*/*/; do
		[[ -d $path ]] || continue
		echo 0 >"$path/enable"
		rmdir "$path"
	done
	for path in "$CFS"/devices/*/; do
		[[ ! -d $path ]] || rmdir "$path"
	done
	for path in "$CFS"/buses/*/; do
		[[ -d $path ]] || continue
		await "bus can be disabled" sh -c "echo 0 >$path/enable"
		rmdir "$path"
	done
}

no_lane_threads()
{
	! grep -qs '^vbus/' /proc/[0-9]*/comm
}

# Memory that a module forgot has a caller that the kernel cannot name any more.
no_orphans()
{
	! awk '$3 ~ /^0x/' /proc/vmallocinfo | grep .
}

free_mb()
{
	sync
	echo 3 >/proc/sys/vm/drop_caches
	awk '$1 == "MemFree:" { print int($2 / 1024) }' /proc/meminfo
}

files_open()
{
	awk '{ print $1 }' /proc/sys/fs/file-nr
}

# Before anything is loaded; 64 MB is a fraction of the smallest guest.
free_at_start=$(free_mb)
files_at_start=$(files_open)

memory_is_back()
{
	[[ $(free_mb) -ge $((free_at_start - 64)) ]]
}

# Each CPU keeps up to 31, more or less, to itself (percpu_counter_batch), and the
# kernel does not add those up to say how many there are: two readings may differ by
# so many though nothing was opened.
FILES_UNSURE=$((2 * 31 * $(nproc --all)))

# files_are_closed BEFORE: of what files_open said BEFORE, no more are open now
files_are_closed()
{
	[[ $(files_open) -le $(($1 + 16 + FILES_UNSURE)) ]]
}

# Packets that one CPU received and another one consumed wait on the former for its
# next packet, up to half of net.core.skb_defer_max of them, and keep the pages of a
# receive pool that is gone: give each CPU a packet.
free_deferred()
{
	local cpu
	ip link set lo up
	for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
		taskset -c "${cpu##*/cpu}" ping -c1 -W5 127.0.0.1 >/dev/null || return 1
	done
}

finish()
{
	local m log
	take_down
	passes "end: each CPU frees what it has put off" free_deferred
	is "$(cd "$CFS" 2>/dev/null && echo buses/* devices/*)" "buses/* devices/*" \
		"end: every bus and device can be removed"
	for m in vbus_ping_guest venet vbus_virtio vbus_guest virtio_vdpa vbus_ping_host vbus_venet \
		vbus_vdpa vhost_vdpa vbus vbus_test_hook; do
		! loaded "$m" || passes "end: module $m can be unloaded" rmmod "$m"
	done
	passes "end: no page stays pinned" await "$(pinned) pages are pinned" nothing_pinned
	passes "end: no thread of a lane is left" no_lane_threads
	is "$(echo /dev/vhost-vdpa-*)" '/dev/vhost-vdpa-*' "end: no vhost-vdpa device is left"
	passes "end: no kernel memory without an owner" no_orphans
	passes "end: the memory is free again" await "free: $(free_mb) MB, at first $free_at_start MB" memory_is_back
	passes "end: no open file is left" await "open: $(files_open), at first $files_at_start" files_are_closed "$files_at_start"
	for log in /tmp/dmesg.*; do
		[[ ! -s $log ]] || splats "$log" "end: no complaint in the log of guest ${log#/tmp/dmesg.}"
	done
	dmesg >/tmp/l1.dmesg
	splats /tmp/l1.dmesg "end: no complaint in the host's log"
	printf '1..%d\n' "$tap_count"
	exit "$tap_failed"
}
