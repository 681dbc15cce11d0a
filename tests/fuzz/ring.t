#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Fuzz the ring code for a short while, VBUS_FUZZ_SECONDS or 15.

set -euo pipefail
. "$(dirname "$0")/lib.sh"

build all
fuzz ring_fuzz corpus 4096
stands "nothing a hostile peer writes breaks the rings"
finish
