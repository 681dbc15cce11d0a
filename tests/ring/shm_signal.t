#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of ring/shm_signal.h.  TAP; the names are in shm_signal_test.c.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
build unit
CMOCKA_MESSAGE_OUTPUT=TAP exec "$TEST_TOP/build/tests/ring/shm_signal_test"
