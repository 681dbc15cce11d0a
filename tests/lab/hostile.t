#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Guests that do not behave: what they say is refused, and nobody else suffers.
exec "$(dirname "$0")/boot" hostile 900
