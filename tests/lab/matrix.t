#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Each combination of offloads, MTU, zero-copy and IP version, every byte checked.
# VBUS_MATRIX_MB: so many MiB each way instead of 16.
mb=${VBUS_MATRIX_MB:-16}
exec "$(dirname "$0")/boot" matrix $((300 + mb * 8))
