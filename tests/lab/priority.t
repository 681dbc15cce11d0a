#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Priorities of lanes: attributes, binding, order of service, no signal lost.
exec "$(dirname "$0")/boot" priority 300
