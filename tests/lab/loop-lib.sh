# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Loop mode with the guest's end in namespace g.  Source it after lib.sh.
#
#	namespace g			here
#	  $nic  <---- bus l0 ---->  v0
#	  $G4, $G6		    $H4, $H6

H4=10.79.0.1
G4=10.79.0.2
H6=fd79::1
G6=fd79::2

in_g()
{
	ip netns exec g "$@"
}

# the same, but with this namespace's sysfs, configfs and modules
net_g()
{
	nsenter --net=/run/netns/g "$@"
}

has_nic()
{
	compgen -G '/sys/bus/vbus/devices/*/net/*'
}

# bring_up: the guest's end, new or again
bring_up()
{
	await "the guest's end" has_nic || return 1
	nic=$(basename /sys/bus/vbus/devices/*/net/*)
	ip link set "$nic" netns g || return 1
	ip -n g addr add $G4/24 dev "$nic"
	ip -n g addr add $G6/64 dev "$nic" nodad
	ip -n g link set "$nic" up
	ip addr replace $H4/24 dev v0
	ip addr replace $H6/64 dev v0 nodad
	ip link set v0 up
	await "ping" in_g ping -c1 -W1 $H4
}

# addresses of both ends, after they were taken away
readdress()
{
	ip addr replace $H4/24 dev v0
	ip link set v0 up
	ip addr replace $H6/64 dev v0 nodad
	ip -n g addr replace $G4/24 dev "$nic"
	ip -n g link set "$nic" up
	ip -n g addr replace $G6/64 dev "$nic" nodad
}

# needs MODULE...: the kernel has them, or the reason is said
needs()
{
	local m
	for m in "$@"; do
		modprobe "$m" 2>/dev/null && continue
		note "left out: this kernel has no module $m"
		return 1
	done
}

# start_loop [ATTR=VALUE...]: modules, bus, device v0, namespace g, servers
start_loop()
{
	load_host
	load_loop
	ip netns add g
	ip -n g link set lo up
	new_bus l0 2
	"$VBUS" dev add venet/v0 "$@" || bail "no device"
	loop_attach l0
	await "attached" bus_state l0 attached || bail "no guest side"
	"$VBUS" plug v0 l0 || bail "cannot plug"
	bring_up || bail "the ends do not come up"
	server g
	"$TRAFFIC" serve "$PORT" >/dev/null 2>&1 &
	servers+=($!)
}

# both_ways NAME MIB: checked streams
both_ways()
{
	passes "$1: $2 MiB, guest side to host side" in_g "$TRAFFIC" put $H4 "$PORT" "$2" 1
	passes "$1: $2 MiB, host side to guest side" in_g "$TRAFFIC" get $H4 "$PORT" "$2" 2
}

# g_stat KEY: a counter of the guest's end
g_stat()
{
	in_g cat "/sys/class/net/$nic/statistics/$1"
}

# ethtool_stat KEY ETHTOOL-COMMAND...
ethtool_stat()
{
	"${@:2}" | awk -v key="$1:" '$1 == key { print $2 }'
}

filtered()
{
	ethtool_stat guest_received_filtered ethtool -S v0
}

g_mtu()
{
	in_g cat "/sys/class/net/$nic/mtu"
}

g_mtu_is()
{
	[[ $(g_mtu) -eq $1 ]]
}

g_carrier_changes()
{
	in_g cat "/sys/class/net/$nic/carrier_changes"
}

# carrier IP-COMMAND... DEV: it is up and has carrier
carrier()
{
	"$@" | grep -q LOWER_UP
}

no_carrier()
{
	"$@" | grep -q NO-CARRIER
}
