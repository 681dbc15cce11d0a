/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest side of VBUS: what drivers and connectors see.
 *
 * A connector finds a bus somewhere (virtio.c), wraps it in a struct vbus_guest
 * and brings it to life.  The core lists the devices of the bus, makes a struct
 * vbus_device of each, and the driver core finds a struct vbus_driver by the
 * device's type string; unknown types autoload "vbus:<type>".
 *
 * The device is open from before probe() to after remove().  A driver
 *   - asks and configures it by vbus_guest_call(),
 *   - registers its queues by vbus_guest_queue_create(), works on their rings
 *     by the functions of ring/ioq.h, and tells the host that a ring wants
 *     attention, if vbus_ioq_publish() said so, by vbus_guest_queue_kick(),
 *   - is told by the queue's notify() that the host says the same, and reacts by
 *     scheduling its NAPI instance by vbus_guest_poll_schedule().
 *
 * All errors are negative errnos.  Nothing the host answers or writes is
 * trusted; functions that return data have checked its size, not its meaning.
 */
#ifndef VBUS_GUEST_H
#define VBUS_GUEST_H

#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <vbus/bus.h>
#include "evq.h"
#include "ioq.h"

struct vbus_cpu;
struct vbus_guest;
struct vbus_queue;

/* Memory */

/**
 * struct vbus_mem - zeroed memory that is shared with the host
 * @va:		where we see it
 * @addr:	where the host sees it
 * @size:	bytes, zero if there is none
 */
struct vbus_mem {
	void *va;
	dma_addr_t addr;
	size_t size;
};

/* Lanes */

/**
 * struct vbus_lane_stats - what happened on a lane
 * @interrupts:	interrupts received
 * @disturbed:	... while the CPU was not idle
 * @polls:	times that the lane was looked at
 * @events:	signals taken from the host
 * @spurious:	... that named no queue of the lane
 * @arms:	times that we went to sleep
 * @rearms:	... and found a signal before we did
 * @held:	times that we did not arm because a device was polling
 * @spins_won:	times that we looked for a signal before sleep and found one
 * @spins_lost:	... and did not
 * @kicks:	signals queued to the host
 * @coalesced:	... that were queued already
 * @doorbells:	... that found the host asleep
 * @full:	... that could not be queued: the host misbehaves
 * @outranked:	times that signals were found which did not interrupt, because
 *		the CPU did something at least as important
 * @raised:	times that the lane was the most important thing on its CPU
 */
struct vbus_lane_stats {
	u64 interrupts;
	u64 disturbed;
	u64 polls;
	u64 events;
	u64 spurious;
	u64 arms;
	u64 rearms;
	u64 held;
	u64 spins_won;
	u64 spins_lost;
	u64 kicks;
	u64 coalesced;
	u64 doorbells;
	u64 full;
	u64 outranked;
	u64 raised;
};

/**
 * struct vbus_spin - looking for signals before sleep, see spin.c and idle.c
 * @idle:	CPU that asks the lane before it sleeps, the one that it was polled on
 *		last, or NULL.  Written by the owner of the NAPI
 * @member:	of that CPU's lanes
 * @next:	of those that the CPU looks at.  This and the rest but @awake and @bulk_at:
 *		owner of the NAPI
 * @awake:	the host was told that the lane will be asked; a hint
 * @bulk_at:	when bulk data last moved on the lane, jiffies
 * @after:	it has just been looked at in vain
 * @ns:		for how long to look, 0: it has not been worth it lately
 * @cost_ns:	what a wait has cost on average with looking, or would have
 * @spent_ns:	for how long it looked in vain before this sleep
 * @idle_us:	idle time of the CPU when this sleep began
 * @won:	times that it found a signal
 * @lost:	times that it did not
 */
struct vbus_spin {
	struct vbus_idle *idle;
	struct list_head member;
	struct vbus_lane *next;
	bool awake;
	unsigned long bulk_at;
	bool after;
	u32 ns;
	u32 cost_ns;
	u32 spent_ns;
	u64 idle_us;
	unsigned long won;
	unsigned long lost;
};

/**
 * struct vbus_lane - a pair of event queues, a doorbell and an interrupt
 * @guest:	the bus
 * @index:	number of the lane
 * @priority:	0..VBUS_PRIORITY_MAX; fixed while attached
 * @busy:	devices that are polling: no need to be interrupted
 * @napi:	consumer of the signals from the host
 * @cons:	its state, owned by whoever runs @napi, like the next four
 * @cpu:	CPU that it was polled on last, NULL: priorities do not matter there
 * @awake:	it is counted there: signals are taken, or devices poll
 * @woken:	an interrupt came since the last poll
 * @spin:	looking for signals before sleep
 * @lock:	protects all that follows: the producer of signals to the host.
 *		Taken in any context up to hard interrupts (netconsole)
 * @prod:	its state
 *
 * The counters are written by the owner of the line that they stand in;
 * readers see them as of some moment.
 */
struct vbus_lane {
	struct vbus_guest *guest;
	u32 index;
	u32 priority;
	atomic_t busy;

	struct napi_struct napi;
	struct vbus_evq_cons cons;
	struct vbus_cpu *cpu;
	bool awake;
	bool woken;
	struct vbus_spin spin;
	unsigned long interrupts;
	unsigned long disturbed;
	unsigned long polls;
	unsigned long events;
	unsigned long spurious;
	unsigned long arms;
	unsigned long rearms;
	unsigned long held;
	unsigned long outranked;
	unsigned long raised;
	struct vbus_mem h2g;

	spinlock_t lock ____cacheline_aligned_in_smp;
	struct vbus_evq_prod prod;
	unsigned long kicks;
	unsigned long coalesced;
	unsigned long doorbells;
	unsigned long full;
	u64 *last;
	struct vbus_mem g2h;
};

/**
 * struct vbus_cpu - what the lanes of a CPU share
 * @lock:	protects @awake, @active and changes of @lanes, and the word that
 *		shows @active to the host.  Leaf lock, bottom halves off
 * @awake:	number of lanes that are awake, by priority
 * @active:	one more than the highest of these priorities, 0: none is awake
 * @lanes:	lanes that were polled here last, one bit each; read without the
 *		lock
 * @looked:	jiffies when all lanes were looked at; a hint
 *
 * See priority.c.
 */
struct vbus_cpu {
	spinlock_t lock;
	u8 awake[VBUS_PRIORITY_MAX + 1];
	u32 active;
	unsigned long lanes;
	unsigned long looked;
} ____cacheline_aligned_in_smp;

/**
 * struct vbus_poll - the claim of one NAPI instance on a lane
 * @lane:	lane that its queues are bound to
 * @state:	bit 0: it is polling, and counted in the lane's @busy
 *
 * While one is polling the lane is not armed: no interrupt for any device of
 * the lane.  Zeroed memory with @lane set is initialised.
 */
struct vbus_poll {
	struct vbus_lane *lane;
	unsigned long state;
};

void vbus_guest_lane_schedule(struct vbus_lane *lane);
void __vbus_guest_lane_stir(struct vbus_lane *lane);
void vbus_guest_lane_stats(const struct vbus_lane *lane,
			   struct vbus_lane_stats *stats);
unsigned int vbus_guest_lane_cpu(const struct vbus_lane *lane);
void __vbus_guest_prio_peek(struct vbus_lane *lane, struct vbus_cpu *cpu);
bool __vbus_guest_any_ready(struct vbus_guest *guest, unsigned long mask);
bool vbus_guest_poll_schedule(struct vbus_poll *poll, struct napi_struct *napi);
void vbus_guest_poll_end(struct vbus_poll *poll);

/**
 * vbus_guest_lane_bulk() - bulk data moves on the lane, either way
 * @lane:	lane
 *
 * For each packet, or whatever the device moves, that is far bigger than those
 * that somebody waits for.  Any context.
 */
static inline void vbus_guest_lane_bulk(struct vbus_lane *lane)
{
	unsigned long now = jiffies;

	/* not for each packet: the host's signals make others read the line */
	if (READ_ONCE(lane->spin.bulk_at) != now)
		WRITE_ONCE(lane->spin.bulk_at, now);
}

/**
 * vbus_guest_lane_peek() - piggyback: look for signals without an interrupt
 * @lane:	lane
 *
 * One cached read, for code that is awake anyway: at the start of transmission
 * and of each poll.  The read is racy on purpose: the worst outcome is a lane
 * that is polled for nothing, or an interrupt that comes after all.  Bottom
 * halves are off.
 */
static inline void vbus_guest_lane_peek(struct vbus_lane *lane)
{
	if (unlikely(!READ_ONCE(lane->spin.awake)))
		__vbus_guest_lane_stir(lane);
	/* racy on purpose, see above */
	if (data_race(vbus_evq_ready(&lane->cons)) &&
	    !test_bit(NAPI_STATE_SCHED, &lane->napi.state))
		vbus_guest_lane_schedule(lane);
}

/**
 * vbus_guest_poll_begin() - a device polls: hold its lane's interrupt
 * @poll:	claim
 *
 * To be called at the start of each NAPI poll; may be called again while held.
 * It also looks for signals of other devices, which would have to wait for the
 * end of a long poll otherwise.
 */
static inline void vbus_guest_poll_begin(struct vbus_poll *poll)
{
	struct vbus_cpu *cpu = READ_ONCE(poll->lane->cpu);

	if (!test_bit(0, &poll->state) && !test_and_set_bit(0, &poll->state))
		atomic_inc(&poll->lane->busy);
	vbus_guest_lane_peek(poll->lane);
	if (cpu)
		__vbus_guest_prio_peek(poll->lane, cpu);
}

/* Devices and drivers */

/**
 * struct vbus_device - a device of a bus
 * @dev:	device
 * @guest:	the bus
 * @slot:	its slot there
 * @instance:	its instance number, unique on the bus
 * @type:	type string
 *
 * Private to the core: @generation, written by the scan only, and @open, which
 * @dev's lock protects.
 */
struct vbus_device {
	struct device dev;
	struct vbus_guest *guest;
	u16 slot;
	u64 instance;
	char type[VBUS_TYPE_LEN];

	u32 generation;
	bool open;
};

#define to_vbus_device(d)	container_of(d, struct vbus_device, dev)

/**
 * struct vbus_device_id - type that a driver handles
 * @type:	type string; empty at the end of a table
 */
struct vbus_device_id {
	char type[VBUS_TYPE_LEN];
};

/**
 * struct vbus_driver - driver of devices of a type
 * @driver:	driver core's part; its name is set by the driver
 * @id_table:	types
 * @probe:	take the device.  Returns 0 or an errno
 * @remove:	let go; all queues are destroyed when it returns
 * @config_changed: the configuration may have changed, look again.  Optional
 * @quiesce:	the transport is about to be reset (suspend, shutdown, host
 *		gone): destroy the queues, keep the device.  Optional
 * @resume:	the device is open again after @quiesce.  Optional
 *
 * All are called in process context with the device's lock held.  A driver
 * without quiesce() and resume() is unbound instead.
 */
struct vbus_driver {
	struct device_driver driver;
	const struct vbus_device_id *id_table;
	int (*probe)(struct vbus_device *vdev);
	void (*remove)(struct vbus_device *vdev);
	void (*config_changed)(struct vbus_device *vdev);
	void (*quiesce)(struct vbus_device *vdev);
	int (*resume)(struct vbus_device *vdev);
};

#define to_vbus_driver(d)	container_of(d, struct vbus_driver, driver)

int __vbus_driver_register(struct vbus_driver *drv, struct module *owner);
void vbus_driver_unregister(struct vbus_driver *drv);
#define vbus_driver_register(drv) __vbus_driver_register(drv, THIS_MODULE)
#define module_vbus_driver(drv) \
	module_driver(drv, vbus_driver_register, vbus_driver_unregister)

/* For each type of a driver, so that it is loaded by need. */
#define MODULE_ALIAS_VBUS(type)	MODULE_ALIAS("vbus:" type)

static inline void vbus_device_set_drvdata(struct vbus_device *vdev, void *data)
{
	dev_set_drvdata(&vdev->dev, data);
}

static inline void *vbus_device_get_drvdata(struct vbus_device *vdev)
{
	return dev_get_drvdata(&vdev->dev);
}

int vbus_guest_call(struct vbus_device *vdev, u32 func, const void *req,
		    u32 reqlen, void *rsp, u32 rsplen);
u32 vbus_guest_lanes(const struct vbus_device *vdev);
u32 vbus_guest_lanes_of(const struct vbus_device *vdev, u32 priority);
struct vbus_lane *vbus_guest_lane_pick(const struct vbus_device *vdev,
				       u32 priority, u32 n);
struct device *vbus_guest_dma_dev(const struct vbus_device *vdev);

/* Addresses for descriptors: by the DMA API, or guest physical. */

static inline dma_addr_t vbus_guest_map_page(struct device *dma_dev,
					     struct page *page, u32 offset,
					     u32 len,
					     enum dma_data_direction dir)
{
	if (dma_dev)
		return dma_map_page(dma_dev, page, offset, len, dir);
	return page_to_phys(page) + offset;
}

static inline dma_addr_t vbus_guest_map(struct device *dma_dev, void *va,
					u32 len, enum dma_data_direction dir)
{
	if (dma_dev)
		return dma_map_single(dma_dev, va, len, dir);
	return virt_to_phys(va);
}

static inline bool vbus_guest_map_error(struct device *dma_dev, dma_addr_t addr)
{
	return dma_dev && dma_mapping_error(dma_dev, addr);
}

/* Queues */

/**
 * struct vbus_queue_config - what a queue is to be
 * @shm:	which queue of the device
 * @lane:	lane that carries its signals
 * @log2:	log2 of the descriptors of each ring
 * @inline_len:	bytes of an inline slot, 0 or a multiple of 64
 * @notify:	the host signalled the queue.  Softirq context under RCU, on the
 *		CPU that serves the lane; from before vbus_guest_queue_create()
 *		returns until vbus_guest_queue_destroy() does; may be spurious
 * @priv:	the driver's, found in the queue
 */
struct vbus_queue_config {
	u16 shm;
	u16 lane;
	u16 log2;
	u16 inline_len;
	void (*notify)(struct vbus_queue *q);
	void *priv;
};

/**
 * struct vbus_queue - a registered queue
 * @sub:	submission ring.  The driver serialises its use
 * @comp:	completion ring.  The driver serialises its use
 * @inlines:	inline slots, @inline_len bytes each, one per descriptor
 * @inline_len:	bytes of an inline slot
 * @size:	descriptors of each ring
 * @lane:	lane
 * @priv:	the driver's
 * @notify:	see struct vbus_queue_config
 * @vdev:	device
 * @signal:	signal id
 * @shm:	which queue of the device
 * @mem:	shared memory
 */
struct vbus_queue {
	struct vbus_ioq_prod sub;
	struct vbus_ioq_cons comp;
	u8 *inlines;
	u32 inline_len;
	u32 size;
	struct vbus_lane *lane;
	void *priv;
	void (*notify)(struct vbus_queue *q);
	struct vbus_device *vdev;
	u16 signal;
	u16 shm;
	struct vbus_mem mem;
};

struct vbus_queue *
vbus_guest_queue_create(struct vbus_device *vdev,
			const struct vbus_queue_config *config);
bool vbus_guest_queue_destroy(struct vbus_queue *q);
void vbus_guest_queue_kick(struct vbus_queue *q);

/* Connectors */

/**
 * struct vbus_transport_ops - what a connector does for the core
 * @request:	send @reqlen bytes over the control channel, wait for the
 *		response.  Returns the bytes of it, at most @rsplen, or an errno
 *		after which the host cannot be relied on any more.  May sleep;
 *		one call at a time
 * @doorbell:	ring a lane's doorbell.  Any context
 * @aim:	aim a lane's interrupt at a CPU, which is a hint.  Optional
 * @reset:	make the host let go of everything, for good.  May sleep
 */
struct vbus_transport_ops {
	int (*request)(struct vbus_guest *guest, const void *req, u32 reqlen,
		       void *rsp, u32 rsplen);
	void (*doorbell)(struct vbus_guest *guest, u32 lane);
	void (*aim)(struct vbus_guest *guest, u32 lane, unsigned int cpu);
	void (*reset)(struct vbus_guest *guest);
};

/**
 * struct vbus_guest - a bus that we are attached to
 * @dev:	device "vbusN"
 * @ops:	connector's functions
 * @priv:	connector's data
 * @dma_dev:	device of the DMA API, NULL: the host takes physical addresses
 * @nlanes:	lanes in use
 * @slots:	slots of each event queue; signal ids are smaller
 * @lane:	the lanes
 * @ranked:	some lane has a priority; set at attaching, like the next
 * @above:	lanes of a higher priority than this one, one bit each
 * @cpu:	what the lanes of a CPU share, of the first VBUS_ACTIVE_WORDS CPUs
 * @active:	their active-priority words, for the host
 * @spin_us:	how long at most to look for signals before sleep
 * @doorbell_ns: what a doorbell costs here
 * @sleep_ns:	how late a sleeping CPU is
 *
 * @ctl_lock:	one request at a time; protects @live, @broken and @quiet, which
 *		others may read
 * @live:	HELLO was answered
 * @broken:	the host did not answer: it may or may not use our memory
 * @quiet:	the host was reset: it does not use our memory
 * @session:	cookie of the session
 * @scan_lock:	protects @device, @attached, @dying; serialises attach, detach
 *		and scan.  Outermost: devices' locks, rtnl and @ctl_lock nest
 *		inside it
 * @device:	devices by slot
 * @attached:	lanes run
 * @dying:	no more scans
 * @scan_work:	list the devices again
 * @sig_lock:	protects changes of @signal and @limbo
 * @signal:	queues by signal id; readers use RCU
 * @limbo:	memory that a host that does not answer may still use
 * @bus_page:	the bus page
 * @dummy:	net_device that the lanes' NAPI instances live on
 * @id:		N
 */
struct vbus_guest {
	struct device dev;
	const struct vbus_transport_ops *ops;
	void *priv;
	struct device *dma_dev;
	u32 nlanes;
	u32 slots;
	struct vbus_lane *lane;
	bool ranked;
	u32 above[VBUS_PRIORITY_MAX + 1];
	struct vbus_cpu *cpu;
	struct vbus_mem active;
	u32 spin_us;
	u32 doorbell_ns;
	u32 sleep_ns;

	struct mutex ctl_lock;	/* see above */
	bool live;
	bool broken;
	bool quiet;
	u64 session;

	struct mutex scan_lock;	/* see above */
	struct vbus_device *device[VBUS_SLOTS_MAX];
	bool attached;
	bool dying;
	struct delayed_work scan_work;

	struct mutex sig_lock;	/* see above */
	struct vbus_queue __rcu **signal;
	struct list_head limbo;

	struct vbus_mem bus_page;
	struct net_device *dummy;
	int id;
};

/**
 * vbus_device_host_live() - does the host of a device answer, as far as is known?
 * @vdev:	device
 *
 * Any context.  False: it did not, or the bus is detached from it.
 */
static inline bool vbus_device_host_live(const struct vbus_device *vdev)
{
	return READ_ONCE(vdev->guest->live);
}

/**
 * vbus_guest_higher_ready() - has a higher lane of this CPU something to do?
 * @lane:	lane that a device polls for
 *
 * For the loop of a device's poll: one cached read of each higher lane that was
 * last polled on the same CPU.  If it returns true the poll ends soon, as if its
 * budget was used up; it should do something before it asks.
 */
static inline bool vbus_guest_higher_ready(struct vbus_lane *lane)
{
	struct vbus_cpu *cpu = READ_ONCE(lane->cpu);
	unsigned long mask;

	if (!cpu)
		return false;
	mask = READ_ONCE(cpu->lanes) & lane->guest->above[lane->priority];
	return mask && __vbus_guest_any_ready(lane->guest, mask);
}

struct vbus_guest *vbus_guest_alloc(struct device *parent,
				    const struct vbus_transport_ops *ops,
				    void *priv, struct device *dma_dev,
				    u32 nlanes);
int vbus_guest_register(struct vbus_guest *guest);
void vbus_guest_detach(struct vbus_guest *guest, bool lost);
int vbus_guest_attach(struct vbus_guest *guest);
void vbus_guest_unregister(struct vbus_guest *guest);
void vbus_guest_free(struct vbus_guest *guest);
void vbus_guest_interrupt(struct vbus_guest *guest, u32 lane);

#endif /* VBUS_GUEST_H */
