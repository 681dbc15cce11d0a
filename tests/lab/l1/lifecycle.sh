#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Every legal order of create, plug, enable, unplug, disable, remove works, every
# illegal one gets its errno, every attribute behaves live and dead, and the
# command vbus says what went wrong.  No guest; hotplug is in loop.sh and vm.sh.

set -uo pipefail
. tests/lab/lib.sh

b=$CFS/buses
d=$CFS/devices

attr()
{
	cat "$1" 2>/dev/null
}

# ---------------------------------------------- what has no module, no lanes

insmod "$BUILD/host/vbus.ko" || bail "cannot load vbus"
gives ENODEV "a class of which there is no module" mkdir "$d/nonsense"
gives ENODEV "the class of a module that is not loaded and not installed" mkdir "$d/venet"
gives OK "a bus can be made" mkdir "$b/b0"
modprobe vdpa
gives ENODEV "a bus cannot be enabled without a connector" write "$b/b0/enable" 1
insmod "$BUILD/host/vbus_vdpa.ko" || bail "cannot load vbus_vdpa"
insmod "$BUILD/host/vbus_venet.ko" || bail "cannot load vbus_venet"
modprobe vhost_vdpa

kmsg_mark
gives ENODEV "an unknown class is refused" mkdir "$d/nonsense"
logged "there is no device class 'nonsense'" "an unknown class is named in the log"
gives OK "a class can be made" mkdir "$d/venet"
gives EEXIST "a class that is there" mkdir "$d/venet"
gives OK "a device can be made" mkdir "$d/venet/v0"
gives EEXIST "a device of the same name" mkdir "$d/venet/v0"
gives EEXIST "a bus of the same name" mkdir "$b/b0"
long=$(printf 'x%.0s' {1..32})
gives ENAMETOOLONG "a bus with a name of 32 bytes" mkdir "$b/$long"
gives ENAMETOOLONG "a device with a name of 32 bytes" mkdir "$d/venet/$long"
gives OK "a bus with a name of 31 bytes" mkdir "$b/${long:1}"
gives OK "it can be enabled" write "$b/${long:1}/enable" 1
gives OK "it can be disabled" write "$b/${long:1}/enable" 0
gives OK "it can be removed" rmdir "$b/${long:1}"

# ----------------------------------------------------- attributes, inert

is "$(attr "$b/b0/enable")" 0 "bus: enable reads 0 when inert"
is "$(attr "$b/b0/state")" inert "bus: state reads inert"
is "$(attr "$b/b0/lanes")" "$(nproc --all)" "bus: as many lanes as CPUs at first"
is "$(attr "$b/b0/address")" "" "bus: address is empty when inert"
is "$(attr "$b/b0/memory")" 0 "bus: memory is 0 without a guest"
like "$(attr "$b/b0/stats")" '^lane doorbells [a-z_ ]+$' "bus: stats has names only when inert"
for a in "spin_us 10000" "nap_us 10000" "hold_us 10000" "bulk_bytes 4294967295"; do
	read -r name most <<<"$a"
	like "$(attr "$b/b0/$name")" '^[0-9]+$' "bus: $name is a number"
	gives OK "bus: $name takes 0" write "$b/b0/$name" 0
	gives EINVAL "bus: $name takes no nonsense" write "$b/b0/$name" x
	gives ERANGE "bus: $name takes no more than $most" write "$b/b0/$name" $((most + 1))
	gives OK "bus: $name takes $most" write "$b/b0/$name" "$most"
	is "$(attr "$b/b0/$name")" "$most" "bus: $name reads what was written"
	gives OK "bus: $name takes 0" write "$b/b0/$name" 0
	gives ERANGE "bus: $name takes no more than $most, again" write "$b/b0/$name" $((most + 1))
	gives ERANGE "bus: $name takes no 64-bit number" write "$b/b0/$name" 18446744073709551616
	gives EINVAL "bus: $name takes no negative number" write "$b/b0/$name" -1
	gives EINVAL "bus: $name takes no empty value" write "$b/b0/$name" $'\n'
	is "$(attr "$b/b0/$name")" 0 "bus: $name is unchanged by what was refused"
done
all=$(</sys/devices/system/cpu/possible)
is "$(attr "$b/b0/cgroup")" 1 "bus: cgroup is 1 at first"
gives EINVAL "bus: cgroup takes no nonsense" write "$b/b0/cgroup" mine
gives OK "bus: cgroup takes 0" write "$b/b0/cgroup" 0
is "$(attr "$b/b0/cgroup")" 0 "bus: cgroup reads what was written"
gives OK "bus: cgroup takes 1" write "$b/b0/cgroup" 1
is "$(attr "$b/b0/cpus")" "$all" "bus: cpus is all CPUs at first"
gives EINVAL "bus: cpus takes no nonsense" write "$b/b0/cpus" one
gives EINVAL "bus: cpus takes no empty value" write "$b/b0/cpus" $'\n'
gives ERANGE "bus: cpus takes no CPU that no machine has" write "$b/b0/cpus" 100000
gives OK "bus: cpus takes a CPU" write "$b/b0/cpus" 0
is "$(attr "$b/b0/cpus")" 0 "bus: cpus reads what was written"
gives EINVAL "bus: enable takes no nonsense" write "$b/b0/enable" 2
gives EINVAL "bus: lanes takes no nonsense" write "$b/b0/lanes" two
gives EINVAL "bus: lanes takes no negative number" write "$b/b0/lanes" -1
gives ERANGE "bus: lanes takes no more than 16" write "$b/b0/lanes" 17
is "$(attr "$b/b0/lanes")" "$(nproc --all)" "bus: lanes is unchanged by what was refused"
gives OK "bus: lanes takes 16" write "$b/b0/lanes" 16
gives OK "bus: lanes takes 0" write "$b/b0/lanes" 0
kmsg_mark
gives EINVAL "bus: without lanes it cannot be enabled" write "$b/b0/enable" 1
logged "bus b0: cannot be enabled without lanes" "bus: the log says that there are no lanes"
gives OK "bus: lanes can be written with a newline" write "$b/b0/lanes" $'3\n'
is "$(attr "$b/b0/lanes")" 3 "bus: lanes reads what was written"
for a in address state memory stats costs; do
	gives EACCES "bus: $a cannot be written" open "$b/b0/$a"
done

is "$(attr "$d/venet/v0/enable")" 0 "venet: enable reads 0 when inert"
is "$(attr "$d/venet/v0/state")" inert "venet: state reads inert"
is "$(attr "$d/venet/v0/bus")" "" "venet: bus is empty when not plugged in"
is "$(attr "$d/venet/v0/slot")" "" "venet: slot is empty when not plugged in"
is "$(attr "$d/venet/v0/ifname")" v0 "venet: ifname is the device's name at first"
is "$(attr "$d/venet/v0/mtu")" 1500 "venet: mtu is 1500 at first"
is "$(attr "$d/venet/v0/pairs")" "$(nproc --all)" "venet: as many pairs as CPUs at first"
is "$(attr "$d/venet/v0/link")" 1 "venet: link is 1 at first"
mac='^[0-9a-f][26ae](:[0-9a-f]{2}){5}$'
like "$(attr "$d/venet/v0/mac")" "$mac" "venet: mac is a local address at first"
like "$(attr "$d/venet/v0/host_mac")" "$mac" "venet: host_mac is a local address at first"
for a in bus slot state; do
	gives EACCES "venet: $a cannot be written" open "$d/venet/v0/$a"
done
gives EINVAL "venet: enable takes no nonsense" write "$d/venet/v0/enable" 2x
gives EINVAL "venet: ifname takes no slash" write "$d/venet/v0/ifname" a/b
gives EINVAL "venet: ifname takes no 16 bytes" write "$d/venet/v0/ifname" 0123456789abcdef
gives EINVAL "venet: ifname takes no empty name" write "$d/venet/v0/ifname" $'\n'
gives OK "venet: ifname takes 15 bytes" write "$d/venet/v0/ifname" 0123456789abcde
is "$(attr "$d/venet/v0/ifname")" 0123456789abcde "venet: ifname reads what was written"
gives OK "venet: ifname takes a newline" write "$d/venet/v0/ifname" $'lo\n'
gives EEXIST "venet: an interface name that is taken" write "$d/venet/v0/enable" 1
is "$(attr "$d/venet/v0/state")" inert "venet: it is inert after that"
gives OK "venet: another name" write "$d/venet/v0/ifname" v0
for a in mac host_mac; do
	gives EINVAL "venet: $a takes no nonsense" write "$d/venet/v0/$a" 02:00:00:00:00
	gives EINVAL "venet: $a takes nothing behind the address" write "$d/venet/v0/$a" 02:00:00:00:00:01:02
	gives EINVAL "venet: $a takes no multicast address" write "$d/venet/v0/$a" 01:00:00:00:00:01
	gives EINVAL "venet: $a takes no zero address" write "$d/venet/v0/$a" 00:00:00:00:00:00
done
gives OK "venet: mac takes an address" write "$d/venet/v0/mac" 02:00:00:00:00:0a
gives OK "venet: host_mac takes one with a newline" write "$d/venet/v0/host_mac" $'02:00:00:00:00:0b\n'
is "$(attr "$d/venet/v0/mac")" 02:00:00:00:00:0a "venet: mac reads what was written"
is "$(attr "$d/venet/v0/host_mac")" 02:00:00:00:00:0b "venet: host_mac reads what was written"
gives ERANGE "venet: mtu below 68" write "$d/venet/v0/mtu" 67
gives ERANGE "venet: mtu above 65535" write "$d/venet/v0/mtu" 65536
gives EINVAL "venet: mtu takes no nonsense" write "$d/venet/v0/mtu" big
gives OK "venet: mtu takes 9000" write "$d/venet/v0/mtu" 9000
is "$(attr "$d/venet/v0/mtu")" 9000 "venet: mtu reads what was written"
for a in "mtu 68" "mtu 65535" "pairs 1" "pairs 16"; do
	read -r name value <<<"$a"
	gives OK "venet: $name takes $value" write "$d/venet/v0/$name" "$value"
	is "$(attr "$d/venet/v0/$name")" "$value" "venet: $name reads $value"
done
gives OK "venet: mtu takes 9000 again" write "$d/venet/v0/mtu" 9000
for a in "mtu 67" "mtu 65536" "mtu 4294967296" "pairs 17" "pairs 4294967296"; do
	read -r name value <<<"$a"
	gives ERANGE "venet: $name takes no $value" write "$d/venet/v0/$name" "$value"
done
gives EINVAL "venet: pairs takes no negative number" write "$d/venet/v0/pairs" -1
is "$(attr "$d/venet/v0/mtu") $(attr "$d/venet/v0/pairs")" "9000 16" "venet: mtu and pairs are unchanged by what was refused"
gives ERANGE "venet: pairs takes no 0" write "$d/venet/v0/pairs" 0
gives ERANGE "venet: pairs takes no 17" write "$d/venet/v0/pairs" 17
gives OK "venet: pairs takes 2" write "$d/venet/v0/pairs" 2
is "$(attr "$d/venet/v0/pairs")" 2 "venet: pairs reads what was written"
gives EINVAL "venet: link takes no nonsense" write "$d/venet/v0/link" up
gives OK "venet: link can be 0 when inert" write "$d/venet/v0/link" 0
is "$(attr "$d/venet/v0/link")" 0 "venet: link reads what was written"
gives OK "venet: link can be 1 when inert" write "$d/venet/v0/link" 1

# ------------------------------------------------------- attributes, live

gives OK "venet: enable" write "$d/venet/v0/enable" 1
is "$(attr "$d/venet/v0/enable")" 1 "venet: enable reads 1 when live"
is "$(attr "$d/venet/v0/state")" enabled "venet: state reads enabled"
is "$(cat /sys/class/net/v0/address)" 02:00:00:00:00:0b "venet: the host's end has host_mac"
is "$(cat /sys/class/net/v0/mtu)" 9000 "venet: the host's end has the mtu"
is "$(echo /sys/class/net/v0/queues/tx-* | wc -w)" 2 "venet: the host's end has a queue for each pair"
ip link set v0 up
is "$(cat /sys/class/net/v0/carrier)" 0 "venet: the host's end has no carrier without a guest"
gives EBUSY "venet: enable when live" write "$d/venet/v0/enable" 1
gives EBUSY "venet: ifname of a live device" write "$d/venet/v0/ifname" other
gives EBUSY "venet: mac of a live device" write "$d/venet/v0/mac" 02:00:00:00:00:0c
gives EBUSY "venet: host_mac of a live device" write "$d/venet/v0/host_mac" 02:00:00:00:00:0c
gives EBUSY "venet: mtu of a live device" write "$d/venet/v0/mtu" 1500
gives EBUSY "venet: pairs of a live device" write "$d/venet/v0/pairs" 1
gives OK "venet: link of a live device" write "$d/venet/v0/link" 0
gives OK "venet: link of a live device, again" write "$d/venet/v0/link" 1
is "$(attr "$d/venet/v0/mtu")" 9000 "venet: a refused value changes nothing"
ip link set v0 down
ip link set v0 name renamed
is "$(attr "$d/venet/v0/ifname")" renamed "venet: ifname reads the interface's present name"
ip link set renamed name v0
gives EBUSY "venet: a live device cannot be removed" rmdir "$d/venet/v0"
gives ENOTEMPTY "a class with devices cannot be removed" rmdir "$d/venet"

gives OK "bus: enable" write "$b/b0/enable" 1
is "$(attr "$b/b0/enable")" 1 "bus: enable reads 1 when live"
is "$(attr "$b/b0/state")" enabled "bus: state reads enabled"
like "$(attr "$b/b0/address")" '^/dev/vhost-vdpa-[0-9]+$' "bus: address is a device of vhost-vdpa"
is "$([[ -c $(attr "$b/b0/address") ]] && echo yes)" yes "bus: that device exists"
is "$(attr "$b/b0/memory")" 0 "bus: memory is 0 without a guest, live"
is "$(attr "$b/b0/stats" | grep -c '^[0-2] 0 0 ')" 3 "bus: stats has a line for each lane"
for a in spin_us nap_us hold_us bulk_bytes; do
	gives OK "bus: $a of a live bus" write "$b/b0/$a" 100
	is "$(attr "$b/b0/$a")" 100 "bus: $a of a live bus reads what was written"
done
is "$(grep -hs '^vbus/b0/' /proc/[0-9]*/comm | sort | xargs)" "vbus/b0/0 vbus/b0/1 vbus/b0/2" \
	"bus: each lane has its thread"
workers_cpus()
{
	local comm
	for comm in $(grep -ls '^vbus/b0/' /proc/[0-9]*/comm); do
		sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' "${comm%comm}status"
	done | xargs
}
is "$(workers_cpus)" "0 0 0" "bus: the workers may run on the CPUs that cpus says"
gives EBUSY "bus: cgroup of a live bus" write "$b/b0/cgroup" 0
gives OK "bus: cpus can be written while live" write "$b/b0/cpus" "$all"
is "$(workers_cpus)" "$all $all $all" "bus: the workers follow"
gives EBUSY "bus: enable when live" write "$b/b0/enable" 1
gives EBUSY "bus: lanes of a live bus" write "$b/b0/lanes" 2
is "$(attr "$b/b0/lanes")" 3 "bus: a refused value changes nothing"
gives EBUSY "bus: a live bus cannot be removed" rmdir "$b/b0"

# ----------------------------------------------------------------- plugging

gives OK "a live device can be plugged into a live bus" ln "$d/venet/v0" "$b/b0/v0"
is "$(attr "$d/venet/v0/bus")" b0 "venet: bus reads where it is plugged in"
is "$(attr "$d/venet/v0/slot")" 0 "venet: slot reads its slot"
gives EBUSY "plugging a device twice into a bus" ln "$d/venet/v0" "$b/b0/again"
gives EEXIST "plugging under a name that is taken" ln "$d/venet/v0" "$b/b0/v0"
gives OK "a second bus" mkdir "$b/b1"
gives EBUSY "plugging a device into two buses" ln "$d/venet/v0" "$b/b1/v0"
gives EINVAL "plugging a bus into a bus" ln "$b/b1" "$b/b0/b1"
gives EINVAL "plugging a class into a bus" ln "$d/venet" "$b/b0/venet"
gives EBUSY "a device that is plugged in and live cannot be removed" rmdir "$d/venet/v0"
gives OK "a device can be disabled while plugged in" write "$d/venet/v0/enable" 0
gives EBUSY "a device that is plugged in and inert cannot be removed" rmdir "$d/venet/v0"
gives OK "a device can be enabled while plugged in" write "$d/venet/v0/enable" 1
gives OK "a bus can be disabled with devices in it" write "$b/b0/enable" 0
is "$(attr "$b/b0/state")" inert "bus: state reads inert again"
gives ENOTEMPTY "a bus with devices cannot be removed" rmdir "$b/b0"
gives OK "unplug a live device" rm "$b/b0/v0"
is "$(attr "$d/venet/v0/bus")" "" "venet: bus is empty after unplug"
gives OK "plug a live device into an inert bus" ln "$d/venet/v0" "$b/b1/other"
is "$(attr "$d/venet/v0/bus")" b1 "venet: it is on the other bus"
gives OK "unplug it again" rm "$b/b1/other"
gives OK "disabling an inert bus is no error" write "$b/b1/enable" 0
gives OK "disable the device" write "$d/venet/v0/enable" 0
gives OK "disabling an inert device is no error" write "$d/venet/v0/enable" 0

# ------------------------------------------------------------ while in use

gives EAGAIN "rmmod vbus is refused while it is configured" rmmod vbus
gives EAGAIN "rmmod vbus_venet is refused while there is a class directory" rmmod vbus_venet
gives OK "remove the device" rmdir "$d/venet/v0"
gives OK "remove the class" rmdir "$d/venet"
gives OK "remove the first bus" rmdir "$b/b0"
gives OK "enable the second bus" write "$b/b1/enable" 1
gives EAGAIN "rmmod vbus_vdpa is refused while a bus is live" rmmod vbus_vdpa
exec {hold}<>"$(attr "$b/b1/address")"
gives EBUSY "a process that has a bus open is alone with it" open "$(attr "$b/b1/address")"
# with no guest's driver yet, disabling that bus waits for the process, and nothing else does
mkdir "$b/b2" "$b/b3"
gives OK "a third bus is enabled" write "$b/b3/enable" 1
kmsg_mark
echo 0 >"$b/b1/enable" {hold}>&- &
leaving=$!
passes "disabling the bus waits for the process, and says so" \
	await "its message" kmsg_has "bus b1: waiting for a program"
gives EAGAIN "another bus cannot be enabled meanwhile" write "$b/b2/enable" 1
logged "bus b2: cannot be enabled while a program" "the log says why"
gives EAGAIN "nor disabled" write "$b/b3/enable" 0
logged "bus b3: cannot be disabled while a program" "the log says why, too"
is "$(attr "$b/b3/state")" enabled "it remains what it was"
says 1 '^vbus: bus b2: cannot enable it: a program keeps the device of a disabled bus open$' \
	"vbus bus enable says so" "$VBUS" bus enable b2
gives OK "anything else can be done meanwhile" write "$b/b2/lanes" 1
gives EBUSY "the bus cannot be disabled twice at a time" write "$b/b1/enable" 0
exec {hold}>&-
wait "$leaving"
is "$?" 0 "it is disabled when the process has closed it"
gives OK "and the other one can be enabled" write "$b/b2/enable" 1
gives OK "... and disabled" write "$b/b2/enable" 0
gives OK "the third one, too" write "$b/b3/enable" 0
rmdir "$b/b2" "$b/b3"
gives OK "disable the second bus" write "$b/b1/enable" 0
gives OK "remove the second bus" rmdir "$b/b1"

# ----------------------------------------------- all orders, and repetition

# up ORDER: steps in that order; b bus, e enable it, d device, a enable it, p plug
step()
{
	case $1 in
	b) mkdir $b/o ;;
	e) echo 1 >$b/o/enable ;;
	d) mkdir -p $d/venet/o ;;
	a) echo 1 >$d/venet/o/enable ;;
	p) ln -s $d/venet/o $b/o/o ;;
	P) rm $b/o/o ;;
	A) echo 0 >$d/venet/o/enable ;;
	D) rmdir $d/venet/o $d/venet ;;
	E) echo 0 >$b/o/enable ;;
	B) rmdir $b/o ;;
	esac
}

order()
{
	local i
	for ((i = 0; i < ${#1}; i++)); do
		step "${1:i:1}" || return 1
	done
}

for up in bedap bedpa bdeap bdepa bdaep bdape bdpea bdpae dabep dabpe dbeap dbpae; do
	for down in PADEB AEPDB EPBAD; do
		bad=0
		order "$up$down" || bad=1
		[[ $bad -eq 0 ]] || for undo in P A E D B; do step $undo 2>/dev/null; done
		orders=$((${orders:-0} + 1))
		[[ $bad -eq 0 ]] || { ok 1 "order $up, then $down"; wrong=1; }
	done
done
is "${orders:-0}${wrong:-}" 36 "$orders orders of the steps up and down all work"

# So often that a file left by each would show (files_are_closed).
times=$((FILES_UNSURE + 64))
files=$(files_open)
for ((i = 0; i < times; i++)); do
	order bdeapPADEB || break
done
is "$i" "$times" "buses and devices come and go, hundreds of times"
is "$(echo /dev/vhost-vdpa-*)" '/dev/vhost-vdpa-*' "none of them leaves a node"
passes "none of them leaves an open file" await "open: $(files_open), before $files" files_are_closed "$files"

order bed
for ((i = 0; i < 65; i++)); do
	mkdir "$d/venet/s$i"
	ln -s "$d/venet/s$i" "$b/o/s$i" 2>/dev/null || break
done
is "$i" 64 "a bus has room for 64 devices"
rm "$b/o/s64" 2>/dev/null
gives ENOSPC "one more gets ENOSPC" ln "$d/venet/s64" "$b/o/s64"
rm "$b/o/s7"
gives OK "a slot that became free is used again" ln "$d/venet/s64" "$b/o/s64"
is "$(attr "$d/venet/s64/slot")" 7 "it is that slot"
find "$b/o" -type l -delete
rmdir "$d"/venet/s*
order DEB

# -------------------------------------------------------------- the command

says 0 '^$' "vbus bus add" "$VBUS" bus add c0 --lanes 2
says 1 '^vbus: bus c0: cannot add it: there is one of that name$' "vbus bus add, twice" "$VBUS" bus add c0
says 1 '^vbus: bus c1: lanes=17: ' "vbus bus add with 17 lanes" "$VBUS" bus add c1 --lanes 17
is "$([[ -d $b/c1 ]] && echo there)" "" "a bus that could not be set up is removed"
says 2 '^vbus: bus .*not a valid name$' "vbus bus add with a bad name" "$VBUS" bus add a/b
says 2 '^usage: vbus bus add ' "vbus bus add without a name" "$VBUS" bus add
says 0 '^$' "vbus dev add" "$VBUS" dev add venet/c0 mtu=9000 mac=02:00:00:00:00:11
is "$(attr "$d/venet/c0/mtu") $(attr "$d/venet/c0/enable")" "9000 1" "vbus dev add sets attributes and enables"
says 1 '^vbus: device venet/c0: there is one of that name$' "vbus dev add, twice" "$VBUS" dev add venet/c0
says 1 "^vbus: device nonsense/c0: there is no device class 'nonsense'$" "vbus dev add, unknown class" \
	"$VBUS" dev add nonsense/c0
says 1 '^vbus: device venet/c1: mtu=1: Numerical result out of range$' "vbus dev add, bad value" \
	"$VBUS" dev add venet/c1 mtu=1
says 1 "^vbus: device venet/c1: there is no attribute 'size' to set$" "vbus dev add, unknown attribute" \
	"$VBUS" dev add venet/c1 size=1
says 2 "^vbus: device venet/c1: 'mtu' is not ATTR=VALUE$" "vbus dev add, no value" "$VBUS" dev add venet/c1 mtu
says 1 '^vbus: device venet/c1: cannot enable it: the interface name is taken$' "vbus dev add, name taken" \
	"$VBUS" dev add venet/c1 ifname=c0
is "$([[ -d $d/venet/c1 ]] && echo there)" "" "a device that could not be set up is removed"
says 0 '^$' "vbus plug" "$VBUS" plug c0 c0
says 1 '^vbus: device venet/c0: it is plugged in already$' "vbus plug, twice" "$VBUS" plug venet/c0 c0
says 1 "^vbus: device 'c9': there is none$" "vbus plug, unknown device" "$VBUS" plug c9 c0
says 1 '^vbus: bus c9: there is none$' "vbus plug, unknown bus" "$VBUS" plug c0 c9
says 0 '^$' "vbus bus enable" "$VBUS" bus enable c0
says 1 '^vbus: bus c0: cannot enable it: it is enabled already$' "vbus bus enable, twice" "$VBUS" bus enable c0
says 1 '^vbus: bus c9: .*there is no such bus$' "vbus bus enable, unknown bus" "$VBUS" bus enable c9
says 1 '^vbus: bus c0: cannot remove it: it is enabled$' "vbus bus del of a live bus" "$VBUS" bus del c0
says 1 '^vbus: device c0: cannot remove it: it is plugged into bus c0$' "vbus dev del of a plugged device" \
	"$VBUS" dev del c0
"$VBUS" show --json >/tmp/show.json
is "$(python3 -c 'import json
s = json.load(open("/tmp/show.json"))
bus, dev = s["buses"][0], s["devices"][0]
print(bus["name"], bus["state"], bus["lanes"], bus["devices"], len(bus["stats"]), bus["stats"][1]["doorbells"],
      dev["name"], dev["class"], dev["bus"], dev["state"], dev["mtu"], dev["mac"])' 2>&1)" \
	"c0 enabled 2 ['c0'] 2 0 c0 venet c0 enabled 9000 02:00:00:00:00:11" "vbus show --json shows all of it"
like "$("$VBUS" show)" 'c0 +enabled +2 +/dev/vhost-vdpa-[0-9]+ ' "vbus show shows the bus"
like "$("$VBUS")" 'c0 +venet +enabled +c0 +c0 +02:00:00:00:00:11' "vbus alone shows the device"
like "$("$VBUS" show --stats)" '^c0: lane=0 doorbells=0 .*c0: lane=1 ' "vbus show --stats shows the lanes"
like "$("$VBUS" run c0 --mem 512 --cpus 2 --dry-run -- -display none 2>&1)" \
	"^qemu-system-x86_64 .*-m 512 -smp 2 .*vhostdev=$(attr "$b/c0/address"),disable-legacy=on,.* -display none$" \
	"vbus run attaches QEMU to the bus"
says 1 '^vbus: bus c9: there is none$' "vbus run, unknown bus" "$VBUS" run c9
says 1 '^vbus: kernel /nonsense: No such file or directory$' "vbus run, no such kernel" \
	"$VBUS" run c0 --kernel /nonsense
says 2 "^vbus: --mem: '0' is not a number above 0$" "vbus run, no memory" "$VBUS" run c0 --mem 0
says 0 '^$' "vbus bus disable" "$VBUS" bus disable c0
says 1 '^vbus: bus c0: it is not enabled$' "vbus run, bus not enabled" "$VBUS" run c0
says 1 '^vbus: bus c0: cannot remove it: devices are plugged in$' "vbus bus del with devices" "$VBUS" bus del c0
says 0 '^$' "vbus unplug" "$VBUS" unplug c0
says 1 '^vbus: device c0: it is not plugged in$' "vbus unplug, twice" "$VBUS" unplug c0
says 0 '^$' "vbus dev del" "$VBUS" dev del venet/c0
says 1 "^vbus: device 'c0': there is none$" "vbus dev del, twice" "$VBUS" dev del c0
is "$([[ -d $d/venet ]] && echo there)" "" "the last device takes its class directory with it"
says 0 '^$' "vbus bus del" "$VBUS" bus del c0
says 1 '^vbus: bus c0: .*there is no such bus$' "vbus bus del, twice" "$VBUS" bus del c0
"$VBUS" nonsense >/dev/null 2>&1
is "$?" 2 "vbus with an unknown command is a usage error"

finish
