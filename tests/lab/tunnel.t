#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Tunnels that cross unsegmented, VLAN tags beside the frame, rx-gro-hw.
exec "$(dirname "$0")/boot" tunnel 600
