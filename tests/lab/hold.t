#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Interrupts for big frames that wait for each other, though the guest sleeps.
exec "$(dirname "$0")/boot" hold 600
