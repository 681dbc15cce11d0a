#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Host and guest side in one kernel: offloads, queues, hotplug, without a VM.
exec "$(dirname "$0")/boot" loop 900
