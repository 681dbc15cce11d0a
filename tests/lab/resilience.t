#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Guests that are killed, reboot, are paused or lose the bus in mid-stream.
exec "$(dirname "$0")/boot" resilience 1200
