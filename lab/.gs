#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Start a guest (L2) in L1 and wait until its agent answers.
#
# usage: lab/guest-start NAME [--kver 6.12|6.1] [--mem MB] [--smp N]
#		[--modules DIR] [--add FILE]... [--append WORDS] [--reboot]
#		[--user USER] [--timeout SECONDS] [-- QEMU-ARG...]
#
# --modules	directory of our modules for the guest, default
#		build/guest-KVER; they load by themselves for their devices
# --add		put FILE into the guest's /usr/local/bin
# --append	add to the kernel's command line
# --reboot	let a reboot of the guest be one; else it ends the guest
# --user	run QEMU as that user
#
# State is in /run/vbus-lab/NAME: pid, console.log, qemu.log, and the sockets
# agent (lab/l2) and qmp (lab/qmp).

set -euo pipefail
. "$(dirname "$0")/lib.sh"

lab_inside || die "guests run in L1: use lab/run -- lab/guest-start ..."

kver=${LAB_GUEST_KVERS[0]}
mem=384
smp=1
modules=
add=()
append=
end=(-no-reboot)
user=()
timeout=120

name=${1:-}
[[ $name =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] || usage_die "first argument must be the guest's name"
shift
while [[ $# -gt 0 ]]; do
	case $1 in
	--) shift; break ;;
	--reboot) end=(); shift; continue ;;
	--*) [[ $# -ge 2 ]] || usage_die "$1 needs a value" ;;&
	--kver) kver=$2 ;;
	--mem) mem=$2 ;;
	--smp) smp=$2 ;;
	--modules) modules=$2 ;;
	--add) add+=("$2") ;;
	--append) append=$2 ;;
	--user) user=(-runas "$2") ;;
	--timeout) timeout=$2 ;;
	*) usage_die "unknown argument $1" ;;
	esac
	shift 2
done

image=$LAB_BUILD/guest-$kver
[[ -e $image/key ]] || die "no image of guest kernel $kver: run lab/guest-image on the developer's machine"
[[ -e /dev/kvm ]] || die "L1 has no /dev/kvm"
modules=${modules:-$LAB_TOP/build/guest-$kver}
dir=$LAB_RUN/$name

guest_pid()
{
	local pid
	pid=$(cat "$dir/pid" 2>/dev/null) && [[ -d /proc/$pid ]]
}

# A second cpio with what is ours; the kernel unpacks it over the first.
add_ours()
{
	local release tree=$dir/tree
	release=$(<"$image/release")
	mkdir -p "$tree/usr/local/bin"
	if compgen -G "$modules/*" >/dev/null; then
		mkdir -p "$tree/lib"
		cp -r "$image/modules/lib/modules" "$tree/lib/"
		mkdir -p "$tree/lib/modules/$release/updates"
		find "$modules" -name '*.ko' -exec cp -t "$tree/lib/modules/$release/updates" {} +
		find "$tree/lib/modules/$release/updates" -name '*.ko' -exec strip --strip-debug {} +
		depmod -b "$tree" "$release"
		rm -rf "$tree/lib/modules/$release/kernel"
	fi
	[[ ${#add[@]} -eq 0 ]] || cp -t "$tree/usr/local/bin" "${add[@]}"
	cp "$image/base.cpio" "$dir/initrd"
	(cd "$tree" && find . | cpio -o -H newc -R 0:0 --quiet) >>"$dir/initrd"
	rm -rf "$tree"
}

guest_pid && die "guest $name is running already"
rm -rf "$dir"
mkdir -p "$dir"
add_ours

ulimit -l unlimited
# Printing is slow: every character leaves the guest.  "lab/l2 dmesg" has all.
cmdline="console=ttyS0 loglevel=4 panic=-1 panic_on_oops=1 nokaslr mitigations=off"
cmdline+=" audit=0 ${LABT-tsc=reliable no_timer_check} cryptomgr.notests 8250.nr_uarts=1"
cmdline+=" vbus.name=$name $append"

if ! qemu-system-x86_64 -name "$name" -machine pc,accel=kvm -cpu host \
	-smp "$smp" -m "$mem" -nodefaults -no-user-config -display none \
	"${end[@]}" "${user[@]}" -D /tmp/q2.log -pidfile "$dir/pid" \
	-kernel "$image/vmlinux" -initrd "$dir/initrd" -append "$cmdline" \
	-serial "file:$dir/console.log" \
	-qmp "unix:$dir/qmp,server=on,wait=off" \
	-device virtio-serial-pci \
	-chardev "socket,id=agent,path=$dir/agent,server=on,wait=off" \
	-device virtserialport,chardev=agent,name=vbus.agent \
	"$@" </dev/null >"$dir/qemu.log" 2>&1 & then true; else
	die "QEMU does not start: $(tail -n1 "$dir/qemu.log")"
fi

if ! "$LAB_DIR/l2" -n "$name" -t "$timeout" true; then
	tail -n 20 "$dir/console.log" "$dir/qemu.log" >&2
	die "guest $name does not answer"
fi
