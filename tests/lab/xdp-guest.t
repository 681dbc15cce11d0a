#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# XDP in the driver of a guest with kernel 6.1, and one with 6.12.
exec "$(dirname "$0")/boot" xdp-guest 600
