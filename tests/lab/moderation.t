#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What moderation and coalescing withhold, and for how long at most.
exec "$(dirname "$0")/boot" moderation 400
