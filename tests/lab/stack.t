#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Both ends under what the network stack has, and changed under load.
exec "$(dirname "$0")/boot" stack 600
