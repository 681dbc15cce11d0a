# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Functions that every lab command uses.  Source it after "set -euo pipefail".

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
LAB_TOP=$(dirname "$LAB_DIR")
LAB_SELF=lab/$(basename "$0")
LAB_BUILD=$LAB_TOP/build/lab
LAB_CACHE=${VBUS_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/vbus}
# State of the machine that the command runs on: locks, running guests.
LAB_RUN=/run/vbus-lab

# The guest kernels, by the short name that the commands take.
LAB_GUEST_KVERS=(6.12 6.1)

say()
{
	printf '%s: %s\n' "$LAB_SELF" "$*" >&2
}

die()
{
	say "$*"
	exit 1
}

usage_die()
{
	say "$*"
	say "see lab/README.md"
	exit 2
}

need_root()
{
	[[ $EUID -eq 0 ]] || die "needs root: run it with sudo"
}

# True in L1 and in the chroot of its root, false on the developer's machine.
lab_inside()
{
	[[ -e /etc/vbus-lab-root ]]
}

# hash_of FILE...: one name for the contents of all the files.
hash_of()
{
	cat -- "$@" | sha256sum | cut -c1-16
}

# monotonic clock in milliseconds
now_ms()
{
	local up _
	read -r up _ </proc/uptime
	echo "$((10#${up/./} * 10))"
}

# wait_for SECONDS CMD...: poll CMD until it succeeds, fail at the deadline.
wait_for()
{
	local deadline=$(($(now_ms) + $1 * 1000))
	shift
	until "$@"; do
		[[ $(now_ms) -lt $deadline ]] || return 1
		sleep 0.05
	done
}

# free_mb DIR: megabytes free where DIR is.
free_mb()
{
	df -Pm "$1" | awk 'NR == 2 { print $4 }'
}

# Full kernel release of a guest kernel by its short name: only inside.
guest_release()
{
	local dir
	for dir in /lib/modules/"$1".*-cloud-amd64; do
		[[ -d $dir/kernel ]] && { basename "$dir"; return; }
	done
	die "no guest kernel $1 in this root: have ${LAB_GUEST_KVERS[*]}"
}
