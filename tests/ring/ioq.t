#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of ring/ioq.h.  TAP; the names are in ioq_test.c.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
build unit
CMOCKA_MESSAGE_OUTPUT=TAP exec "$TEST_TOP/build/tests/ring/ioq_test"
