#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Streams while the guest or the host has no memory, and while a receiver stands still.
exec "$(dirname "$0")/boot" pressure 600
