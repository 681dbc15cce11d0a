#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# XDP in the guest's driver: each action by data and by counters, in loop mode.
exec "$(dirname "$0")/boot" xdp 600
