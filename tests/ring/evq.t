#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of ring/evq.h.  TAP; the names are in evq_test.c.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
build unit
CMOCKA_MESSAGE_OUTPUT=TAP exec "$TEST_TOP/build/tests/ring/evq_test"
