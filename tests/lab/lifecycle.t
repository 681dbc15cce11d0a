#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Life cycle of buses and devices by configfs and by the command vbus, no guest.
exec "$(dirname "$0")/boot" lifecycle 600
