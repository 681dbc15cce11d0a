#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# No wakeup is lost: ten million signals with random delays in the protocol.
cd "$(dirname "$0")/../.." || exit 1
sudo=
[[ $EUID -eq 0 ]] || sudo=sudo
if ! out=$($sudo lab/in-root tests/lab/modules/build 2>&1); then
	printf '# %s\n' "$out"
	echo "Bail out! cannot build the modules of this test"
	exit 1
fi
exec tests/lab/boot wakeup 900
