// SPDX-License-Identifier: GPL-2.0-only
/*
 * debugfs: /sys/kernel/debug/vbus/<bus>/lane<N>/, to read only.
 *
 *   counters	the counters of buses/<bus>/stats, one a line
 *   moderation	what the lane's moderation has learnt and is doing right now
 *
 * What is read is what it was at some moment, each line at its own.
 *
 * Lifetime: from when the lanes of a bus exist until they are freed; removal
 * waits for readers.  debugfs may be missing, and nothing here can fail.
 */
#define pr_fmt(fmt) "vbus: " fmt

#include <linux/debugfs.h>
#include <linux/sched/clock.h>
#include <linux/seq_file.h>

#include "core.h"

static struct dentry *vbus_debugfs_root;

static int vbus_debugfs_counters_show(struct seq_file *s, void *unused)
{
	const struct vbus_lane *lane = s->private;
	const struct vbus_lane_counter *counter = vbus_lane_counters;
	unsigned int i;

	seq_printf(s, "doorbells %lld\n",
		   atomic64_read(&lane->stats.doorbells));
	for (i = 0; i < vbus_lane_ncounters; i++, counter++)
		seq_printf(s, "%s %llu\n", counter->name,
			   vbus_lane_count(&lane->stats, counter));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vbus_debugfs_counters);

static int vbus_debugfs_moderation_show(struct seq_file *s, void *unused)
{
	const struct vbus_lane *lane = s->private;
	unsigned long state = READ_ONCE(lane->state);
	u64 idle_at = READ_ONCE(lane->idle_at);
	bool held = READ_ONCE(lane->held);
	u64 now = local_clock();

	seq_printf(s, "live %d\n", test_bit(VBUS_LANE_LIVE, &state));
	seq_printf(s, "owned %d\n", test_bit(VBUS_LANE_OWNED, &state));
	seq_printf(s, "pauses %d\n", atomic_read(&lane->pauses));
	seq_printf(s, "bulk %d\n", vbus_lane_is_bulk(lane));
	seq_printf(s, "spin_ns %u\n", READ_ONCE(lane->spin_ns));
	seq_printf(s, "doorbell_ns %u\n", READ_ONCE(lane->doorbell_ns));
	seq_printf(s, "wake_ns %u\n", READ_ONCE(lane->wake_ns));
	seq_printf(s, "raise_ns %u\n", READ_ONCE(lane->raise_ns));
	/* clocks of two CPUs may differ a little */
	seq_printf(s, "idle_age_ns %llu\n",
		   idle_at && now > idle_at ? now - idle_at : 0);
	seq_printf(s, "held %d\n", held);
	seq_printf(s, "hold_left_ns %lld\n", held ?
		   (s64)(READ_ONCE(lane->hold_until) - now) : 0);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vbus_debugfs_moderation);

/**
 * vbus_debugfs_add() - show the lanes of a bus
 * @bus:	bus that has lanes
 */
void vbus_debugfs_add(struct vbus_bus *bus)
{
	struct dentry *dir;
	char name[16];
	unsigned int i;

	bus->debugfs = debugfs_create_dir(bus->name, vbus_debugfs_root);
	for (i = 0; i < bus->lanes; i++) {
		snprintf(name, sizeof(name), "lane%u", i);
		dir = debugfs_create_dir(name, bus->debugfs);
		debugfs_create_file("counters", 0400, dir, &bus->lane[i],
				    &vbus_debugfs_counters_fops);
		debugfs_create_file("moderation", 0400, dir, &bus->lane[i],
				    &vbus_debugfs_moderation_fops);
	}
}

/* The lanes are about to go.  Waits for readers. */
void vbus_debugfs_remove(struct vbus_bus *bus)
{
	debugfs_remove(bus->debugfs);
	bus->debugfs = NULL;
}

void vbus_debugfs_init(void)
{
	vbus_debugfs_root = debugfs_create_dir("vbus", NULL);
}

void vbus_debugfs_exit(void)
{
	debugfs_remove(vbus_debugfs_root);
}
