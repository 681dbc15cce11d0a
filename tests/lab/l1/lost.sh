#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Lose L1, for tests/lab/lost.t: $VBUS_LOST says how.

echo "ok 1 - before"
case $VBUS_LOST in
dies)
	echo c >/proc/sysrq-trigger
	;;
ours)
	# a name that one of our threads could have
	cp /bin/bash /tmp/vbus-worker
	/tmp/vbus-worker -c 'echo c >/proc/sysrq-trigger'
	;;
hangs)
	# what lab/run hears of one is nothing, whatever it does
	for score in /proc/[0-9]*/oom_score_adj; do
		pid=${score#/proc/}
		[[ $(<"$score") -ne -1000 ]] || kill -STOP "${pid%/*}"
	done
	;;
esac
exec sleep infinity
