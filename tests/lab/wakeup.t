#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# No wakeup is lost: ten million signals with random delays in the protocol.
if ! out=$(sudo= ; [[ $EUID -eq 0 ]] || sudo=sudo; cd "$(dirname "$0")/../.." && $sudo lab/in-root tests/lab/modules/build 2>&1); then
	printf '# %s\n' "$out"
	echo "Bail out! cannot build the test's modules"
	exit 1
fi
exec "$(dirname "$0")/boot" wakeup 600
