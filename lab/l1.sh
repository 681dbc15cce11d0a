# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# How L1 is put together and booted: shared by lab/run and lab/shell.  Source
# it after lib.sh.

# One CPU for the host's work and two for guests: lab/emulated.
L1_SMP=3
L1_MEM=6144
L1_TIMEOUT=1200
L1_LOG=
# Booting takes seconds: this long without a sign of life and it hangs.
L1_BOOT_TIMEOUT=180
L1_BOOTS=4
L1_ENV=()
L1_APPEND=()

l1_job=
l1_qemu=
l1_args=()
l1_cats=()

# l1_option ARG...: parse one option that lab/run and lab/shell have in common,
# set "used" to the number of words it took, 0 if it is none.
l1_option()
{
	used=2
	case $1 in
	--smp | --mem | --timeout | --log | --env | --append)
		[[ $# -ge 2 ]] || usage_die "$1 needs a value" ;;
	esac
	case $1 in
	--smp) L1_SMP=$2 ;;
	--mem) L1_MEM=$2 ;;
	--timeout) L1_TIMEOUT=$2 ;;
	--log) L1_LOG=$2 ;;
	--env) L1_ENV+=("$2") ;;
	--append) L1_APPEND+=("$2") ;;
	*) used=0 ;;
	esac
}

# Everything that must exist before a boot.
l1_prepare()
{
	local number kver
	lab_inside && die "this is L1 already"
	for number in "$L1_SMP" "$L1_MEM" "$L1_TIMEOUT"; do
		[[ $number =~ ^[0-9]+$ ]] || usage_die "not a number: $number"
	done

	l1_root=$("$LAB_DIR/root")

	# Several may run at once: one makes what is missing.
	mkdir -p "$LAB_BUILD"
	exec 8>"$LAB_BUILD/lock"
	flock 8
	l1_initrd=$("$LAB_DIR/l1-initrd" "$l1_root")
	"$LAB_DIR/tools"
	"$LAB_DIR/guest-image"
	for kver in "${LAB_GUEST_KVERS[@]}"; do
		"$LAB_DIR/guest-initrd" "$kver" >/dev/null
	done
	exec 8>&-

	l1_job=$(mktemp -d "$LAB_BUILD/job.XXXXXX")
	trap l1_cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

l1_cleanup()
{
	if [[ -n $l1_qemu ]]; then
		kill -9 "$l1_qemu" 2>/dev/null || :
		wait "$l1_qemu" 2>/dev/null || :
	fi
	l1_keep_logs
	[[ -z $l1_job ]] || rm -rf "$l1_job"
}

l1_keep_logs()
{
	local log
	[[ -n $L1_LOG && -n $l1_job ]] || return 0
	mkdir -p "$L1_LOG"
	for log in console.log dmesg.log qemu.log; do
		[[ ! -e $l1_job/$log ]] || cp "$l1_job/$log" "$L1_LOG/"
	done
}

# l1_write_job CMD...: what lab/init runs, NUL-terminated so that nothing needs
# quoting.
l1_write_job()
{
	local name environment=("${L1_ENV[@]}")
	for name in $(compgen -e VBUS_); do
		environment+=("$name=${!name}")
	done
	[[ -z ${TERM:-} ]] || environment+=("TERM=$TERM")
	printf '%s\0' "$@" >"$l1_job/args"
	: >"$l1_job/env"
	[[ ${#environment[@]} -eq 0 ]] || printf '%s\0' "${environment[@]}" >"$l1_job/env"
}

# The QEMU that runs L1 is the one of L1's root, not the machine's: emulators
# before 8.1 race when one CPU translates what another patches, which kills L1 or
# its guests now and then (README.md).  It runs by the loader and the libraries of
# that tree, without a chroot, so that it needs no privilege and sees the paths of
# this machine.
l1_emulator()
{
	local tree=$l1_root/tree
	l1_args=(
		"$tree/lib64/ld-linux-x86-64.so.2"
		--library-path "$tree/usr/lib/x86_64-linux-gnu"
		"$tree/usr/bin/qemu-system-x86_64"
		-L "$tree/usr/share/qemu" -L "$tree/usr/share/seabios"
	)
}

# The command line of QEMU for L1, without what the caller adds.
l1_machine()
{
	local accel=(-accel "tcg,thread=multi" -cpu "max,+svm,+npt,-erms,-fsrm")
	local security=none
	local cmdline=(console=ttyS0 "panic=-1" panic_on_oops=1 loglevel=7
		mitigations=off nokaslr audit=0 random.trust_cpu=on
		8250.nr_uarts=1 cryptomgr.notests
		"${L1_APPEND[@]}"
		"lab.job=/src/${l1_job#"$LAB_TOP/"}")

	# /dev/kvm proves nothing: stock kernels hang in it on some machines.
	if grep -qwE 'svm|vmx' /proc/cpuinfo; then
		accel=(-accel kvm -cpu host)
	fi
	[[ $EUID -ne 0 ]] || security=passthrough

	l1_emulator
	l1_args+=(
		"${accel[@]}"
		-machine pc -smp "$L1_SMP" -m "$L1_MEM"
		-nodefaults -no-user-config -no-reboot -display none
		-kernel "$l1_root/vmlinux" -initrd "$l1_initrd" -append "${cmdline[*]}"
		-drive "file=$l1_root/disk.img,format=raw,if=none,id=root,readonly=on,cache=unsafe"
		-device virtio-blk-pci,drive=root
		-virtfs "local,path=$LAB_TOP,mount_tag=src,security_model=$security,multidevs=remap"
		-serial "file:$l1_job/console.log"
		-device virtio-serial-pci,max_ports=8
		-chardev "file,id=status,path=$l1_job/status"
		-device virtserialport,chardev=status,name=vbus.status
	)
}

l1_alive()
{
	kill -0 "$l1_qemu" 2>/dev/null
}

l1_begun_or_dead()
{
	[[ -s $l1_job/status ]] || ! l1_alive
}

l1_dead()
{
	! l1_alive
}

# l1_stop WHY: end QEMU at once.
l1_stop()
{
	kill -9 "$l1_qemu" 2>/dev/null || :
	wait "$l1_qemu" 2>/dev/null || :
	l1_qemu=
}

l1_console_tail()
{
	[[ ! -s $l1_job/console.log ]] || tail -n "$1" "$l1_job/console.log" | tr -d '\r' >&2
	[[ ! -s $l1_job/qemu.log ]] || cat "$l1_job/qemu.log" >&2
}

# l1_boot START: START is a function that starts QEMU and sets l1_qemu.  A boot
# that died is repeated; returns when the command has begun.
l1_boot()
{
	local start=$1 boot why
	for ((boot = 1; boot <= L1_BOOTS; boot++)); do
		rm -f "$l1_job/status" "$l1_job/console.log"
		"$start"
		why="died"
		wait_for "$L1_BOOT_TIMEOUT" l1_begun_or_dead || why="said nothing for $L1_BOOT_TIMEOUT s"
		[[ ! -s $l1_job/status ]] || return 0
		l1_stop
		if [[ ! -s $l1_job/console.log ]]; then
			l1_console_tail 1
			die "L1 does not start"
		fi
		say "L1 $why in boot $boot of $L1_BOOTS, before the command began: $(
			grep -m1 -aoE '(Kernel panic|int3:|Oops:|vbus-lab:).*' "$l1_job/console.log" | tr -d '\r' || :)"
		l1_keep_logs
	done
	l1_console_tail 30
	die "L1 did not boot in $L1_BOOTS attempts"
}

# l1_finish: wait for the end of the command and set l1_status.
l1_finish()
{
	local line
	if [[ $L1_TIMEOUT -gt 0 ]] && ! wait_for "$L1_TIMEOUT" l1_dead; then
		l1_stop
		l1_console_tail 5
		say "timeout: the command did not end in $L1_TIMEOUT s"
		l1_status=124
		return
	fi
	wait "$l1_qemu" || :
	l1_qemu=
	wait "${l1_cats[@]}" || :

	line=$(grep -a '^exit ' "$l1_job/status" || :)
	if [[ -z $line ]]; then
		l1_console_tail 30
		say "L1 died while the command was running"
		l1_status=125
		return
	fi
	l1_status=${line#exit }
}
