#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Guests with kernels 6.12 and 6.1 on stock QEMU: real traffic, checked.
exec "$(dirname "$0")/boot" vm 1200
