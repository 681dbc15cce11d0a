#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of ring/active.h.  TAP; the names are in active_test.c.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
build unit
CMOCKA_MESSAGE_OUTPUT=TAP exec "$TEST_TOP/build/tests/ring/active_test"
