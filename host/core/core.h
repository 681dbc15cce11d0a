/* SPDX-License-Identifier: GPL-2.0-only */
/* Private to vbus.ko: what its files share, beside what vbus_host.h offers to others. */
#ifndef VBUS_CORE_H
#define VBUS_CORE_H

#include "vbus_host.h"

/* lane.c */

/**
 * struct vbus_lane_counter - a counter as it is shown
 * @name:	name
 * @offset:	where it stands in struct vbus_lane_stats
 */
struct vbus_lane_counter {
	const char *name;
	size_t offset;
};

/* All of them but @doorbells, which is the first one to be shown. */
extern const struct vbus_lane_counter vbus_lane_counters[];
extern const unsigned int vbus_lane_ncounters;

static inline u64 vbus_lane_count(const struct vbus_lane_stats *stats,
				  const struct vbus_lane_counter *counter)
{
	return READ_ONCE(*(const u64 *)((const char *)stats + counter->offset));
}

int vbus_lane_init(struct vbus_lane *lane, struct vbus_bus *bus,
		   unsigned int index);
void vbus_lane_exit(struct vbus_lane *lane);
void vbus_lane_place_worker(struct vbus_lane *lane);
void vbus_lane_pause(struct vbus_lane *lane);
void vbus_lane_unpause(struct vbus_lane *lane);
int vbus_lane_map(struct vbus_lane *lane, const struct vbus_mem *mem,
		  u64 h2g, u64 g2h, u32 slots);
void vbus_lane_unmap(struct vbus_lane *lane);
int vbus_lane_begin(struct vbus_lane *lane, u32 slots);
void vbus_lane_end(struct vbus_lane *lane);

/* signal.c */
void vbus_lane_raise(struct vbus_lane *lane);

/* priority.c */
void vbus_lane_rank(struct vbus_lane *lane);
void vbus_lane_rank_worker(struct vbus_lane *lane);
void vbus_lane_breathe(struct vbus_lane *lane);
bool vbus_lane_gives_way(const struct vbus_lane *lane);
bool vbus_lane_outranked(struct vbus_lane *lane);

/* Is there something for the lane's owner to look at?  By the owner. */
static inline bool vbus_lane_has_work(const struct vbus_lane *lane)
{
	return vbus_evq_ready(&lane->g2h) ||
	       test_bit(VBUS_LANE_WOKEN, &lane->state);
}

/* moderate.c */
bool vbus_lane_wait(struct vbus_lane *lane);
bool vbus_lane_woken(struct vbus_lane *lane);
void vbus_lane_idle(struct vbus_lane *lane);
void vbus_lane_running(struct vbus_lane *lane);
void vbus_lane_raised(struct vbus_lane *lane, u64 ns);
#define VBUS_FLOOD	8	/* fast signals that are a flood, either way */
u64 vbus_lane_interrupt_cost(const struct vbus_lane *lane);
void vbus_lane_moderate_stop(struct vbus_lane *lane);

/* hold.c */
u64 vbus_lane_hold_most(const struct vbus_lane *lane);
bool vbus_lane_looked(const struct vbus_lane *lane);
bool vbus_lane_hold(struct vbus_lane *lane, u32 usecs);
void vbus_lane_end_hold(struct vbus_lane *lane);
void vbus_lane_hold_init(struct vbus_lane *lane);
void vbus_lane_hold_stop(struct vbus_lane *lane);

/* queue.c */
int vbus_queue_add(struct vbus_device *dev, const struct vbus_shm_req *req);
void vbus_queue_remove(struct vbus_queue *q);
void vbus_queue_count(struct vbus_queue *q, u32 units);
int vbus_queue_map(struct vbus_queue *q, const struct vbus_mem *mem);
void vbus_queue_unmap(struct vbus_queue *q);

/* flood.c */
void vbus_queue_flood_init(struct vbus_queue *q);
void vbus_queue_flood_stop(struct vbus_queue *q);

/* device.c */
const struct vbus_class_ops *vbus_class_get(const char *name);
void vbus_class_put(const struct vbus_class_ops *ops);
int vbus_device_enable(struct vbus_device *dev);
void vbus_device_disable(struct vbus_device *dev);
int vbus_device_plug(struct vbus_device *dev, struct vbus_bus *bus);
void vbus_device_unplug(struct vbus_device *dev);
void vbus_device_close(struct vbus_device *dev);

/* bus.c */
struct vbus_bus *vbus_bus_alloc(const char *name);
void vbus_bus_free(struct vbus_bus *bus);
int vbus_bus_enable(struct vbus_bus *bus);
int vbus_bus_disable(struct vbus_bus *bus);
int vbus_bus_set_cpus(struct vbus_bus *bus, const struct cpumask *cpus);
void vbus_bus_changed(struct vbus_bus *bus);

/* session.c */
u32 vbus_session_begin(struct vbus_bus *bus, u64 page_addr);

/* verbs.c */

/* What the guest is told of an error of ours, as enum vbus_status. */
static inline u32 vbus_status(int err)
{
	return err == -ENOMEM ? VBUS_ENOMEM :
	       err == -EFAULT ? VBUS_EFAULT :
	       err == -EBUSY ? VBUS_EBUSY : VBUS_EINVAL;
}

/* debugfs.c */
void vbus_debugfs_add(struct vbus_bus *bus);
void vbus_debugfs_remove(struct vbus_bus *bus);
void vbus_debugfs_init(void);
void vbus_debugfs_exit(void);

/* bus_attrs.c */
extern struct configfs_attribute *vbus_bus_attrs[];

/* configfs.c */
ssize_t vbus_enable_store(struct config_item *item, const char *page,
			  size_t count, const bool *enabled,
			  int (*enable)(struct config_item *item),
			  int (*disable)(struct config_item *item));
int vbus_configfs_init(void);
void vbus_configfs_exit(void);

#endif /* VBUS_CORE_H */
