# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Checked streams in guest a, one after the other, that go on until they are told.
# Source it after lib.sh.

MB=64		# of each
# where streams come from that the guest gets, and where those of others go
GET=7001
OTHER=7002

# endless_servers: beside that of peer()
endless_servers()
{
	PORT=$GET server peer
	PORT=$OTHER server peer
}

# begin: both ways; returns when both flow.  "getter" is the program of those that the
# guest gets.  The kernel is not to kill them for their memory.
begin()
{
	local rx tx
	in_guest a "echo -1000 >/proc/self/oom_score_adj
		rm -f /tmp/put /tmp/get /tmp/enough
		cp /usr/local/bin/traffic /usr/local/bin/getter
		for how in 'traffic put $PEER4 $PORT' 'getter get $PEER6 $GET'; do
			log=\${how#* }; log=/tmp/\${log%% *}
			setsid sh -c \"while [ ! -e /tmp/enough ] && \$how $MB 5; do :; done; echo end\" </dev/null >\$log 2>&1 &
		done"
	rx=$(net_stat v0 rx_bytes)
	tx=$(net_stat v0 tx_bytes)
	flowing "$rx" "$tx"
}

# flowing RX TX: both, from those values of the host's counters on
flowing()
{
	await "a stream from the guest" moved v0 rx_bytes "$1" $((8 << 20)) &&
		await "a stream to the guest" moved v0 tx_bytes "$2" $((8 << 20))
}

ended()
{
	[[ $(in_guest a 'cat /tmp/put /tmp/get' | grep -c '^end') -eq 2 ]]
}

# whole NAME: the streams that are under way come to their end
whole()
{
	local way right=$((MB << 20)) out
	in_guest a 'touch /tmp/enough'
	passes "$1: the streams come to their end" await "end of streams" ended
	for way in put get; do
		out=$(in_guest a "cat /tmp/$way")
		is "$(grep -cvE "^$right of $right |^end$" <<<"$out") $(($(wc -l <<<"$out") > 1))" "0 1" \
			"$1: every byte of $way is right" || comment <<<"$out"
	done
}
