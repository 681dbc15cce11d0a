/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VBUS host side: what the core, connectors and device classes share.
 *
 * The core knows buses, devices, sessions, lanes and queues.  A connector joins
 * a bus to a guest; a device class implements a kind of device.  Neither knows
 * the other.
 *
 * Locking, outermost first:
 *   vbus_config_lock  topology and configuration: which buses and devices exist,
 *                     what is enabled, what is plugged.  Never taken on behalf
 *                     of a guest.
 *   bus->owner_lock   whose the workers are: a VMM's, which comes and goes with it.
 *                     Nothing is taken inside.
 *   bus->lock         the guest's view: slots, the session, open devices and
 *                     their queues.  Control requests run under it, so nothing
 *                     that waits for a guest, nor the RTNL, may be taken inside
 *                     (in loop mode the guest side holds the RTNL while it
 *                     waits for an answer).
 * The data path takes none of them: it runs with bottom halves off, and whoever
 * changes what it uses pauses the lane and waits for an RCU grace period.
 */
#ifndef VBUS_HOST_H
#define VBUS_HOST_H

#include <linux/bitmap.h>
#include <linux/configfs.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <vbus/bus.h>
#include <vbus/virtio.h>
#include <active.h>
#include <evq.h>
#include <ioq.h>

#define VBUS_NAME_LEN		32	/* names of buses and devices, with NUL */

struct vbus_bus;
struct vbus_device;
struct vbus_lane;
struct vbus_mem;
struct vbus_queue;

extern struct mutex vbus_config_lock;

/* ------------------------------------------------------------------ mem.c */

#define VBUS_MEM_READ	1u
#define VBUS_MEM_WRITE	2u

struct vbus_mem *vbus_mem_alloc(void);
struct vbus_mem *vbus_mem_alloc_identity(void);
int vbus_mem_add(struct vbus_mem *mem, u64 addr, u64 size, phys_addr_t pa,
		 unsigned int perm);
void vbus_mem_free(struct vbus_mem *mem);
void *vbus_mem_ptr(const struct vbus_mem *mem, u64 addr, size_t *len,
		   unsigned int perm);
struct page *vbus_mem_page(const struct vbus_mem *mem, u64 addr, size_t *len);
int vbus_mem_read(const struct vbus_mem *mem, u64 addr, void *to, size_t len);
int vbus_mem_write(const struct vbus_mem *mem, u64 addr, const void *from,
		   size_t len);
size_t vbus_mem_size(const struct vbus_mem *mem);

/**
 * struct vbus_map - a piece of guest memory, contiguous for the host
 * @kva:	address
 * @vmapped:	what vmap() returned, if the pages are not contiguous
 */
struct vbus_map {
	void *kva;
	void *vmapped;
};

int vbus_map(const struct vbus_mem *mem, u64 addr, size_t len,
	     struct vbus_map *map);
void vbus_unmap(struct vbus_map *map);

/* ----------------------------------------------------------------- lane.c */

/* Counters of a lane.  Written by whoever owns that part of the lane. */
struct vbus_lane_stats {
	atomic64_t doorbells;	/* doorbells received, by anybody */
	u64 in_context;		/* rounds served in the context of the doorbell */
	u64 worker_rounds;	/* rounds served by the worker */
	u64 worker_wakes;	/* times the worker was woken */
	u64 kicks;		/* signals taken from the guest */
	u64 arms;		/* times the lane was armed */
	u64 batches;		/* signals of floods that waited for company */
	u64 signals;		/* signals pushed to the guest */
	u64 coalesced;		/* ... found queued already */
	u64 interrupts;		/* ... that took an interrupt */
	u64 outranked;		/* ... not raised: the guest does better things */
	u64 held;		/* ... whose interrupt was held back */
	u64 hold_saved;		/* ... and proved to be superfluous */
	u64 held_ns;		/* how long they were held back, together */
	u64 spins_won;		/* times the worker spun and work came */
	u64 spins_lost;		/* times it spun in vain */
	u64 naps_won;		/* times it looked again by a timer and found work */
	u64 naps_lost;		/* times it found none */
	u64 refused;		/* ... lost because the guest broke its queue */
};

/**
 * struct vbus_lane - host end of a lane
 * @bus:	its bus
 * @index:	its number on the bus
 * @priority:	0..VBUS_PRIORITY_MAX; fixed, like the next two
 * @above:	lanes of the bus that have a higher one, one bit each
 * @rt:		the worker may run in a real-time class
 * @state:	VBUS_LANE_* bits; OWNED is a lock: who holds it may serve
 * @pauses:	> 0: owners give up ownership at the next opportunity
 * @g2h:	consumer of the guest's signals; by the owner
 * @ready:	queues with work, served in turn; by the owner
 * @woken:	signal ids of queues that the host itself wants served
 * @push_lock:	protects @h2g and the counters of signals.  Taken with interrupts
 *		off: netpoll sends from anywhere
 * @h2g:	producer of signals to the guest
 * @last:	memory of @h2g
 * @map:	the two event queues in guest memory (h2g, g2h)
 * @active:	active-priority words of the guest, NULL: it has none.  Mapped
 *		while the lane is live
 * @kick:	leaves the doorbell's context, in which little is allowed
 * @serve:	serves in bottom-half context
 * @worker:	serves when there is more than a little to do
 * @idle:	waiters for ownership
 * @bulk_until:	local_clock() until which the lane counts as moving bulk data
 * @flood:	signals of a flood that came, less what spoke against one; by the owner,
 *		like the next two
 * @answered:	signals to the guest by the last of them
 * @idle_at:	local_clock() when the lane last ran out of work
 * @woken_at:	local_clock() when it was last woken, 0: it has run since
 * @spin_ns:	how long to spin for more, 0: not worth it lately; by the owner
 * @spin_cost_ns: what a wait has cost on average with spinning, or would have
 * @doorbell_ns: what the guest says that its doorbell costs it; by the owner, others
 *		read it, and the next
 * @wake_ns:	what waking the worker takes on average
 * @raise_ns:	what raising an interrupt takes on average; under @push_lock
 * @rt_debt:	real time that the worker has used and not paid back, ns; by the
 *		worker, like the next three
 * @rt_since:	local_clock() when that was reckoned last
 * @rt_used:	CPU time of the worker then
 * @rt_now:	the worker is in the real-time class
 * @held:	an interrupt is held back; under @push_lock, like the next three; others
 *		read it for a hint
 * @held_at:	local_clock() when that began
 * @hold_until:	... and no longer than to this local_clock()
 * @timer_at:	local_clock() when @hold is due, if it is queued
 * @hold:	ends that
 */
struct vbus_lane {
	struct vbus_bus *bus;
	unsigned int index;
	unsigned int priority;
	u32 above;
	bool rt;
	unsigned long state;
	atomic_t pauses;
	struct vbus_evq_cons g2h;
	struct list_head ready;
	DECLARE_BITMAP(woken, VBUS_EVQ_SLOTS_MAX);
	spinlock_t push_lock;
	struct vbus_evq_prod h2g;
	u64 *last;
	struct vbus_map map[2];
	const struct vbus_active *active;
	struct irq_work kick;
	struct work_struct serve;
	struct task_struct *worker;
	wait_queue_head_t idle;
	u64 bulk_until;
	u32 flood;
	u64 answered;
	u64 idle_at;
	u64 woken_at;
	u32 spin_ns;
	u32 spin_cost_ns;
	u32 doorbell_ns;
	u32 wake_ns;
	u32 raise_ns;
	u64 rt_debt;
	u64 rt_since;
	u64 rt_used;
	bool rt_now;
	bool held;
	u64 held_at;
	u64 hold_until;
	u64 timer_at;
	struct hrtimer hold;
	struct vbus_lane_stats stats;
};

#define VBUS_LANE_OWNED		0	/* somebody serves, or holds it still */
#define VBUS_LANE_PENDING	1	/* a doorbell came; look again */
#define VBUS_LANE_WORKER	2	/* ownership was handed to the worker */
#define VBUS_LANE_LIVE		3	/* event queues are mapped */
#define VBUS_LANE_WOKEN		4	/* @woken is not empty */

void vbus_lane_doorbell(struct vbus_lane *lane);
void vbus_lane_wake(struct vbus_lane *lane, u32 sig);
void vbus_lane_signal(struct vbus_lane *lane, u32 sig);
void vbus_lane_signal_coalesced(struct vbus_lane *lane, u32 sig, u32 usecs);

/* ------------------------------------------------------------- priority.c */

unsigned int vbus_bus_levels(const struct vbus_bus *bus);

/* ------------------------------------------------------------- moderate.c */

void vbus_lane_note_bulk(struct vbus_lane *lane, u32 bytes);
void vbus_lane_share_bulk(struct vbus_lane *lane, const struct vbus_lane *other);
bool vbus_lane_is_bulk(const struct vbus_lane *lane);

/* ---------------------------------------------------------------- queue.c */

/**
 * struct vbus_queue_ops - what a device class does with a queue
 * @service:	the guest put work into the submission ring.  Bottom halves are
 *		off; called by the owner of the queue's lane.  Do at most about
 *		@budget units and return what was done; @budget or more means
 *		that there may be more.  Never sleeps
 */
struct vbus_queue_ops {
	int (*service)(struct vbus_queue *q, int budget);
};

/**
 * struct vbus_queue - a queue that a guest registered for a device
 * @dev:	its device
 * @ops:	set by the class in its queue_add()
 * @priv:	for the class
 * @lane:	carries its signals
 * @shm:	number of the queue, by the device's type
 * @signal:	signal id
 * @log2:	log2 of the descriptors of a ring
 * @inline_len:	bytes of an inline slot
 * @addr:	guest address of the region
 * @sub:	consumer of the submission ring; serialised by the class
 * @comp:	producer of the completion ring; serialised by the class
 * @inl:	inline slots
 * @hold_us:	how long the guest lets its interrupts wait, 0: not at all
 * @hold_units:	... and how many units (the class's) may wait, 0: any number
 * @units:	units of the present hold; serialised like @comp
 * @hold_seq:	which hold that is
 * @flood:	signals of a flood that came in a row; serialised like @comp, like the
 *		next five
 * @signal_at:	local_clock() of the last signal
 * @fresh:	units since then
 * @answered:	what the guest had said by then, see vbus_bus_said()
 * @owed_units:	units since the first that a signal waits for
 * @owed_until:	local_clock() when it must not wait any longer
 * @owed:	a signal waits: whoever clears it pushes it
 * @due:	pushes it in the end
 * @live:	false: the rings are not mapped, hands off
 * @node:	entry of lane->ready
 * @map:	the region
 */
struct vbus_queue {
	struct vbus_device *dev;
	const struct vbus_queue_ops *ops;
	void *priv;
	struct vbus_lane *lane;
	u16 shm;
	u16 signal;
	u16 log2;
	u16 inline_len;
	u64 addr;
	struct vbus_ioq_cons sub;
	struct vbus_ioq_prod comp;
	const u8 *inl;
	u32 hold_us;
	u32 hold_units;
	u32 units;
	u64 hold_seq;
	u32 flood;
	u64 signal_at;
	u32 fresh;
	u64 answered;
	u32 owed_units;
	u64 owed_until;
	bool owed;
	struct hrtimer due;
	bool live;
	struct list_head node;
	struct vbus_map map;
};

void vbus_queue_coalesce(struct vbus_queue *q, u32 usecs, u32 units);
void vbus_queue_tell(struct vbus_queue *q, bool due, u32 units);
void vbus_queue_stalled(struct vbus_queue *q);

/**
 * vbus_queue_signal() - tell the guest that there are completions
 * @q:		queue; its lane is live
 *
 * Bottom halves are off.  Call it when vbus_ioq_publish() on @q->comp returned
 * true.
 */
static inline void vbus_queue_signal(struct vbus_queue *q)
{
	vbus_lane_signal_coalesced(q->lane, q->signal, READ_ONCE(q->hold_us));
}

/**
 * vbus_queue_wake() - have a queue served although the guest did not signal
 * @q:		queue
 *
 * Any context but NMI, under rcu_read_lock() since @q was seen registered.
 */
static inline void vbus_queue_wake(struct vbus_queue *q)
{
	vbus_lane_wake(q->lane, q->signal);
}

/* --------------------------------------------------------------- device.c */

/**
 * struct vbus_class_ops - a device class
 * @owner:	module
 * @name:	name in configfs; the module has the alias "vbus-class-<name>"
 * @type:	type string that guests see
 * @attrs:	configfs attributes, in addition to the common ones
 * @alloc:	make an inert device.  vbus_config_lock is held
 * @free:	undo alloc.  No lock is held; may sleep
 * @enable:	make it live for the host.  vbus_config_lock is held, bus->lock
 *		not; may sleep and take the RTNL
 * @disable:	undo enable; no guest has it open
 * @open:	a guest opened it.  bus->lock is held for this and all below
 * @close:	the guest closed it or is gone; all queues were removed
 * @call:	synchronous verb.  *@outlen is VBUS_CALL_MAX on entry and 0 ..
 *		VBUS_CALL_MAX on return.  Returns an enum vbus_status
 * @queue_add:	check a queue and set its @ops; returns an enum vbus_status
 * @queue_remove: forget a queue.  It is not live any more and the lane is
 *		paused; before it is freed a grace period passes
 * @quiesce:	the guest is being paused: queues are about to be unmapped
 * @resume:	queues are mapped again
 */
struct vbus_class_ops {
	struct module *owner;
	const char *name;
	const char *type;
	struct configfs_attribute **attrs;
	struct vbus_device *(*alloc)(const char *name);
	void (*free)(struct vbus_device *dev);
	int (*enable)(struct vbus_device *dev);
	void (*disable)(struct vbus_device *dev);
	int (*open)(struct vbus_device *dev);
	void (*close)(struct vbus_device *dev);
	u32 (*call)(struct vbus_device *dev, u32 func, const void *in,
		    size_t inlen, void *out, size_t *outlen);
	u32 (*queue_add)(struct vbus_device *dev, struct vbus_queue *q);
	void (*queue_remove)(struct vbus_device *dev, struct vbus_queue *q);
	void (*quiesce)(struct vbus_device *dev);
	void (*resume)(struct vbus_device *dev);
};

/**
 * struct vbus_device - an instance of a device class
 * @group:	configfs directory
 * @ops:	class
 * @name:	name in configfs
 * @bus:	where it is plugged, NULL: nowhere; vbus_config_lock to change.
 *		Others ask vbus_device_where()
 * @slot:	slot there
 * @enabled:	live for the host; vbus_config_lock
 * @instance:	unique number of this plugging; bus->lock
 * @generation:	counts changes of what the guest can query; bus->lock
 * @opened:	a guest has it open; bus->lock
 * @queue:	registered queues; bus->lock
 */
struct vbus_device {
	struct config_group group;
	const struct vbus_class_ops *ops;
	char name[VBUS_NAME_LEN];
	struct vbus_bus *bus;
	unsigned int slot;
	bool enabled;
	u64 instance;
	u32 generation;
	bool opened;
	struct vbus_queue *queue[VBUS_SHM_MAX];
};

static inline struct vbus_device *to_vbus_device(struct config_item *item)
{
	return container_of(to_config_group(item), struct vbus_device, group);
}

int vbus_class_register(const struct vbus_class_ops *ops);
void vbus_class_unregister(const struct vbus_class_ops *ops);
bool vbus_device_where(struct vbus_device *dev, char *name, unsigned int *slot);
void vbus_device_changed(struct vbus_device *dev);

/* ------------------------------------------------------------------ bus.c */

/**
 * struct vbus_connector_ops - joins buses to guests
 * @owner:	module
 * @name:	name; the module has the alias "vbus-connector-<name>"
 * @enable:	offer the bus to guests and set bus->conn_priv.
 *		vbus_config_lock is held
 * @disable:	withdraw the offer and drop the session; -EBUSY if a guest is
 *		attached, -EINTR if killed while waiting for a consumer, after
 *		which it may be called again.  No lock is held
 * @interrupt:	raise the interrupt of a lane.  Bottom halves are off
 * @address:	where guests find the bus, as text for people
 */
struct vbus_connector_ops {
	struct module *owner;
	const char *name;
	int (*enable)(struct vbus_bus *bus);
	int (*disable)(struct vbus_bus *bus);
	void (*interrupt)(struct vbus_bus *bus, unsigned int lane);
	ssize_t (*address)(struct vbus_bus *bus, char *buf);
};

/**
 * struct vbus_bus - a bus
 * @group:	configfs directory
 * @name:	name in configfs
 * @lanes:	lanes on offer; vbus_config_lock, fixed while enabled
 * @priority:	priority of each; likewise
 * @rt:		workers of high priority may be real-time threads; likewise
 * @cgroup:	workers join the cgroups of the process that uses the bus;
 *		likewise
 * @owner_lock:	protects the next two, and whose the workers are.  Inside of
 *		vbus_config_lock, nothing else is taken inside
 * @adopted:	they have joined
 * @cpus:	CPUs that the workers may run on; vbus_config_lock, too, to change
 * @spin_us:	how long at most a worker spins for more work before it arms
 * @nap_us:	how soon it looks again after that, 0: not at all
 * @hold_us:	how long an interrupt may be held back during bulk transfers
 * @bulk_bytes:	a frame of at least this size makes a transfer a bulk transfer
 * @enabled:	offered to guests; vbus_config_lock
 * @disabling:	somebody waits for its consumer to let go; vbus_config_lock
 * @plugged:	slots taken; vbus_config_lock
 * @conn:	connector; valid while enabled
 * @conn_priv:	the connector's
 * @lane:	@lanes lanes; exist while enabled
 * @debugfs:	directory of the lanes; vbus_config_lock
 * @lock:	protects all below; see the top of this file
 * @slot:	devices
 * @mem:	guest memory, NULL: none mapped
 * @session:	cookie, 0: no session
 * @running:	the session's memory is mapped and its lanes live
 * @page_addr:	bus page of the session
 * @nlanes:	lanes that the session uses
 * @slots:	slots of its event queues
 * @active_addr: address of its active-priority words, 0: it has none
 * @active:	the words, mapped while @running
 * @desc:	private copy of the lanes' addresses
 * @signal:	signal id -> queue; read by lane owners under RCU
 */
struct vbus_bus {
	struct config_group group;
	char name[VBUS_NAME_LEN];
	unsigned int lanes;
	u8 priority[VBUS_LANES_MAX];
	bool rt;
	bool cgroup;
	struct mutex owner_lock;
	bool adopted;
	cpumask_var_t cpus;
	unsigned int spin_us;
	unsigned int nap_us;
	unsigned int hold_us;
	unsigned int bulk_bytes;
	bool enabled;
	bool disabling;
	DECLARE_BITMAP(plugged, VBUS_SLOTS_MAX);
	const struct vbus_connector_ops *conn;
	void *conn_priv;
	struct vbus_lane *lane;
	struct dentry *debugfs;

	struct mutex lock;
	struct vbus_device *slot[VBUS_SLOTS_MAX];
	struct vbus_mem *mem;
	u64 session;
	bool running;
	u64 page_addr;
	unsigned int nlanes;
	u32 slots;
	u64 active_addr;
	struct vbus_map active;
	struct {
		u64 h2g;
		u64 g2h;
	} desc[VBUS_LANES_MAX];
	struct vbus_queue __rcu *signal[VBUS_EVQ_SLOTS_MAX];
};

static inline struct vbus_bus *to_vbus_bus(struct config_item *item)
{
	return container_of(to_config_group(item), struct vbus_bus, group);
}

int vbus_connector_register(const struct vbus_connector_ops *ops);
void vbus_connector_unregister(const struct vbus_connector_ops *ops);

/* ---------------------------------------------------------------- owner.c */

int vbus_bus_adopt(struct vbus_bus *bus);
void vbus_bus_orphan(struct vbus_bus *bus);

/* -------------------------------------------------------------- session.c */

void vbus_session_suspend(struct vbus_bus *bus);
int vbus_session_resume(struct vbus_bus *bus);
void vbus_session_drop(struct vbus_bus *bus);
int vbus_session_set_mem(struct vbus_bus *bus, struct vbus_mem *mem);

/* ---------------------------------------------------------------- verbs.c */

/* Something a guest asked for is wrong: say so, but never often. */
#define vbus_complain(bus, fmt, ...) \
	pr_warn_ratelimited("bus %s: guest: " fmt "\n", (bus)->name, \
			    ##__VA_ARGS__)

size_t vbus_verbs_request(struct vbus_bus *bus, const void *req,
			  size_t reqlen, void *rsp, size_t rspsize);

#endif /* VBUS_HOST_H */
