#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The guest is suspended and resumes in mid-stream.
exec "$(dirname "$0")/boot" suspend 300
