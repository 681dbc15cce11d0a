#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Which queue pair receives which flow: by table, by itself, and what is said of it.
cd "$(dirname "$0")/../.." || exit 1
sudo=
[[ $EUID -eq 0 ]] || sudo=sudo
if ! out=$($sudo lab/in-root tests/lab/modules/build-call 2>&1); then
	printf '# %s\n' "$out"
	echo "Bail out! cannot build the module of this test"
	exit 1
fi
exec tests/lab/boot steering 400
