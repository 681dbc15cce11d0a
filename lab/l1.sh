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
L1_BOOT_TIMEOUT=90
L1_BOOTS=4
# lab/init says "alive" every 5 seconds, whatever the command does.
L1_SILENCE=75
# Lines of the console that are shown when L1 died or was stopped.
L1_SHOWN=150
L1_ENV=()
L1_APPEND=()
L1_PIN=

l1_job=
l1_qemu=
l1_args=()
l1_cats=()
l1_monitor=
l1_status_fd=
l1_quiet=0

# l1_option ARG...: parse one option that lab/run and lab/shell have in common,
# set "used" to the number of words it took, 0 if it is none.
l1_option()
{
	used=2
	case $1 in
	--smp | --mem | --timeout | --silence | --log | --env | --append)
		[[ $# -ge 2 ]] || usage_die "$1 needs a value" ;;
	esac
	case $1 in
	--smp) L1_SMP=$2 ;;
	--mem) L1_MEM=$2 ;;
	--timeout) L1_TIMEOUT=$2 ;;
	--silence) L1_SILENCE=$2 ;;
	--log) L1_LOG=$2 ;;
	--env) L1_ENV+=("$2") ;;
	--append) L1_APPEND+=("$2") ;;
	--pin) L1_PIN=yes used=1 ;;
	*) used=0 ;;
	esac
}

# Everything that must exist before a boot.
l1_prepare()
{
	local number kver
	lab_inside && die "this is L1 already"
	for number in "$L1_SMP" "$L1_MEM" "$L1_TIMEOUT" "$L1_SILENCE"; do
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
	for log in console.log dmesg.log qemu.log monitor.log; do
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
	local accel=(-accel "tcg,thread=multi" -cpu "max,+svm,+npt,-erms,-fsrm,-fsrs,-smap")
	local security=none
	# A panic shows what each CPU did and which tasks were blocked.
	local cmdline=(console=ttyS0 "panic=-1" panic_on_oops=1 loglevel=7
		panic_print=0xc0 sysrq_always_enabled
		mitigations=off nokaslr audit=0 random.trust_cpu=on
		8250.nr_uarts=1 cryptomgr.notests
		"${L1_APPEND[@]}"
		"lab.job=/src/${l1_job#"$LAB_TOP/"}")

	# /dev/kvm proves nothing: stock kernels hang in it on some machines.
	if grep -qwE 'svm|vmx' /proc/cpuinfo; then
		accel=(-accel kvm -cpu host)
	else
		# for l1_question(); a CPU that is not emulated may have NMIs of its own
		cmdline+=(unknown_nmi_panic)
	fi
	[[ $EUID -ne 0 ]] || security=passthrough

	l1_emulator
	l1_args+=(
		"${accel[@]}"
		-name L1,debug-threads=on -machine pc -smp "$L1_SMP" -m "$L1_MEM"
		-nodefaults -no-user-config -no-reboot -display none
		-kernel "$l1_root/vmlinux" -initrd "$l1_initrd" -append "${cmdline[*]}"
		-drive "file=$l1_root/disk.img,format=raw,if=none,id=root,readonly=on,cache=unsafe"
		-device virtio-blk-pci,drive=root
		-virtfs "local,path=$LAB_TOP,mount_tag=src,security_model=$security,multidevs=remap"
		-serial "file:$l1_job/console.log"
		-device virtio-serial-pci,max_ports=8
		-chardev "file,id=status,path=$l1_job/status"
		-device virtserialport,chardev=status,name=vbus.status
		-chardev "file,id=monitor,path=$l1_job/monitor.log,input-path=$l1_job/monitor"
		-mon chardev=monitor,mode=readline
	)
	# Commands of the monitor; open for both ways, so that QEMU never sees its end.
	mkfifo "$l1_job/monitor"
	exec {l1_monitor}<>"$l1_job/monitor"
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

# What a kernel says when it dies, is stuck, or is asked by l1_question().
L1_TROUBLE='Kernel panic|BUG:|Oops|general protection|double fault|detected stall|lockup|LOCKUP|blocked for more|NMI received|sysrq: Show (backtrace|Blocked)'

# l1_console_tail LINES
l1_console_tail()
{
	[[ ! -s $l1_job/console.log ]] || tail -n "$1" "$l1_job/console.log" | tr -d '\r' >&2
	[[ ! -s $l1_job/qemu.log ]] || cat "$l1_job/qemu.log" >&2
}

# The console from the first trouble on, without registers and guessed callers: the
# log has those.
l1_show_trouble()
{
	local lines
	lines=$(tr -d '\r' <"$l1_job/console.log" | sed -nE "/$L1_TROUBLE/,\$p" |
		grep -vE '\] +(R[A-D]X|R[SB]P|R[SD]I|R[0-9]{2}|[CF]S|CR2|DR[0-9]|PKRU|Code|Hardware name):|\]  \? ' || :)
	if [[ -z $lines ]]; then
		l1_console_tail 30
		return
	fi
	head -n "$L1_SHOWN" <<<"$lines" >&2
	[[ $(wc -l <<<"$lines") -le $L1_SHOWN ]] || say "... and more in console.log (--log)"
	[[ ! -s $l1_job/qemu.log ]] || cat "$l1_job/qemu.log" >&2
}

# l1_ask CMD...: commands for QEMU's monitor; what it answers is in monitor.log.
l1_ask()
{
	printf '%s\n' "$@" >&"$l1_monitor"
}

# What QEMU's threads do; a CPU that computes is in state R and its time grows.
l1_threads()
{
	local task stat
	for task in "/proc/$l1_qemu"/task/*; do
		stat=$(<"$task/stat") || continue
		# after the name, which may have spaces: state is 1, utime 12, stime 13
		read -r -a stat <<<"${stat##*) }"
		echo "thread $(<"$task/comm"): ${stat[0]}, $((stat[11] + stat[12])) ticks, $(cat "$task/wchan" || :)"
	done 2>/dev/null
}

# l1_question: before L1 is killed, find out what it does.  An NMI makes the kernel
# panic with a backtrace of each CPU, whatever it is stuck in; where there is no
# such thing, or no answer, SysRq may give as much, and the registers are left.
l1_question()
{
	l1_threads >"$l1_job/threads"
	l1_ask 'info registers -a'
	sleep 1
	l1_threads >>"$l1_job/threads"
	l1_ask nmi
	wait_for 15 l1_dead && return
	l1_ask 'sendkey alt-sysrq-9'
	sleep 0.5
	l1_ask 'sendkey alt-sysrq-w'
	sleep 0.5
	l1_ask 'sendkey alt-sysrq-l'
	sleep 5
	say "no panic after an NMI; QEMU's threads, a second apart, and the CPUs:"
	sort "$l1_job/threads" >&2
	grep -aE '^CPU#|RSP=|RIP=|CR3=' "$l1_job/monitor.log" | tr -d '\r' >&2 || :
}

# l1_pin: if --pin asks for it, and where the machine has fewer CPUs than L1, keep L1's first ones on a CPU each;
# the others go where there is time.  A scheduler may give the CPU that is woken the core
# of the one that woke it, which may hold a lock that it wants: what is measured then is
# how long the scheduler leaves it at that.
l1_pin()
{
	local task name cores number
	cores=$(nproc)
	[[ -n $L1_PIN && $cores -lt $L1_SMP ]] || return 0
	for task in "/proc/$l1_qemu"/task/*; do
		name=$(<"$task/comm") || continue
		[[ $name =~ ^CPU\ ([0-9]+)/ ]] || continue
		number=${BASH_REMATCH[1]}
		[[ $number -ge $cores ]] || taskset -pc "$number" "${task##*/}" >/dev/null ||
			say "cannot keep CPU $number of L1 on a CPU"
	done
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
		if [[ -s $l1_job/status ]]; then
			l1_pin
			return 0
		fi
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

# L1 is gone, or has not said for L1_SILENCE seconds that it lives.  Counted in
# looks, not by the clock: a machine that was suspended, or too busy to look, did not
# let L1 speak either.
l1_over()
{
	l1_alive || return 0
	l1_quiet=$((l1_quiet + 1))
	while read -r _ <&"$l1_status_fd"; do
		l1_quiet=0
	done
	[[ $l1_quiet -ge $((L1_SILENCE * 20)) ]]
}

# l1_finish: wait for the end of the command and set l1_status.  What each task waits
# for is asked where the machine is well and the command is not.
l1_finish()
{
	local line why="L1 died while the command was running"
	exec {l1_status_fd}<"$l1_job/status"
	l1_status=125
	if [[ $L1_TIMEOUT -gt 0 ]] && ! wait_for "$L1_TIMEOUT" l1_over; then
		l1_status=124
		why="timeout: the command did not end in $L1_TIMEOUT s"
	elif [[ $L1_TIMEOUT -gt 0 ]] && l1_alive; then
		why="L1 hung: it gave no sign of life for $L1_SILENCE s"
	fi
	if [[ $L1_TIMEOUT -gt 0 ]] && l1_alive; then
		say "$why; asking its CPUs"
		[[ $l1_status -eq 125 ]] || l1_ask "sendkey alt-sysrq-9" "sendkey alt-sysrq-t"
		l1_question
		l1_stop
	else
		wait "$l1_qemu" || :
		l1_qemu=
	fi
	wait "${l1_cats[@]}" || :

	line=$(grep -a '^exit ' "$l1_job/status" || :)
	if [[ -z $line ]]; then
		l1_show_trouble
		say "$why"
	else
		l1_status=${line#exit }
	fi
}
