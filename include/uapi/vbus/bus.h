/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR BSD-3-Clause */
/*
 * Bus protocol: how a guest attaches to a bus and talks to its devices.
 *
 * A connector (virtio.h) gives the guest a control channel, which carries one
 * request and its response at a time, and for each lane a doorbell and an
 * interrupt.  All else lives in guest memory that the guest allocates, zeroes
 * and announces by physical ("bus") address; all fields are little-endian.
 *
 * Attaching
 *   1. The guest allocates the bus page and two event queues for each lane it
 *      wants to use, at most as many as the connector offers, describes the
 *      lanes in the bus page and sends VBUS_VERB_HELLO with its address.
 *   2. The host checks everything, answers with the features that both sides
 *      know and a session cookie, and copies the cookie into the bus page.
 *      A second HELLO closes all that an earlier session had open.
 *   3. VBUS_VERB_LIST enumerates the devices, VBUS_VERB_OPEN opens one,
 *      VBUS_VERB_CALL is its synchronous verb, VBUS_VERB_SHM registers a queue
 *      of it and binds it to a signal and a lane.
 *
 * Signals
 *   A signal id names one registered queue, in both directions: pushed by the
 *   guest (on the lane's g2h event queue) it says that the guest put work into
 *   the queue, pushed by the host (h2g) that the host did.  Id 0 is the bus
 *   itself, always on lane 0 and only from the host: the list of devices, or
 *   the configuration of one of them, has changed; the guest lists again and
 *   compares the generations.
 *
 * Priorities
 *   The host says in the bus page, before it answers HELLO, which priority each
 *   lane has.  The guest may announce a table of active-priority words there, one
 *   for each of its CPUs, and name in the consumer line of a lane's h2g event
 *   queue (evq.h) the one that stands for the CPU which serves the lane.  While
 *   that word outranks the lane, the host does not raise the lane's interrupt
 *   although the lane is armed; whoever lowers the word looks at the lanes that
 *   it may have kept quiet.  See ring/active.h.
 *
 * Every request starts with struct vbus_req, every response with struct
 * vbus_rsp; a response may be shorter than the structures below when @status
 * is not VBUS_OK.  Unknown verbs get VBUS_ENOSYS and reserved fields are zero.
 */
#ifndef _UAPI_VBUS_BUS_H
#define _UAPI_VBUS_BUS_H

#include <linux/types.h>

#define VBUS_ABI_VERSION	1u
#define VBUS_BUS_MAGIC		0x53554256u	/* "VBUS" */
#define VBUS_LANES_MAX		16u	/* lanes of a bus */
#define VBUS_SLOTS_MAX		64u	/* devices on a bus */
#define VBUS_TYPE_LEN		32u	/* type string with its NUL */
#define VBUS_CALL_MAX		256u	/* payload of a CALL, each way, bytes */
#define VBUS_SHM_MAX		64u	/* queues of one device */
#define VBUS_SIGNAL_BUS		0u	/* the bus's own signal */
#define VBUS_PRIORITY_MAX	7u	/* highest priority of a lane; 0: normal */
#define VBUS_ACTIVE_WORDS	64u	/* active-priority words of a guest */

/* Session features: offered by the guest, answered by the host. None so far. */
#define VBUS_F_ALL		0ull

/* Result of a request, in vbus_rsp.status */
enum vbus_status {
	VBUS_OK		= 0,
	VBUS_EINVAL	= 1,	/* a field is out of its range */
	VBUS_EVERSION	= 2,	/* ABI version not supported; see HELLO */
	VBUS_EFAULT	= 3,	/* an address is not guest memory */
	VBUS_ENODEV	= 4,	/* no such device in this slot */
	VBUS_EBUSY	= 5,	/* already open, or signal or queue in use */
	VBUS_ENOSYS	= 6,	/* unknown verb or function */
	VBUS_ENOMEM	= 7,	/* the host is out of memory */
	VBUS_ENOTCONN	= 8,	/* no HELLO yet, or the device is not open */
	VBUS_EOPNOTSUPP	= 9,	/* a feature that was not negotiated */
};

enum vbus_verb {
	VBUS_VERB_HELLO	= 1,
	VBUS_VERB_LIST	= 2,
	VBUS_VERB_OPEN	= 3,
	VBUS_VERB_CLOSE	= 4,
	VBUS_VERB_CALL	= 5,
	VBUS_VERB_SHM	= 6,
	VBUS_VERB_UNSHM	= 7,
};

/**
 * struct vbus_req - head of a request
 * @verb:	enum vbus_verb
 * @slot:	device the request is for, 0 where none is meant
 * @reserved:	zero
 */
struct vbus_req {
	__le16 verb;
	__le16 slot;
	__le32 reserved;
};

/**
 * struct vbus_rsp - head of a response
 * @status:	enum vbus_status
 * @len:	bytes of payload that follow
 */
struct vbus_rsp {
	__le32 status;
	__le32 len;
};

/**
 * struct vbus_lane_desc - a lane, as the guest describes it in the bus page
 * @h2g:	address of the host-to-guest event queue, 64-byte aligned
 * @g2h:	address of the guest-to-host event queue, 64-byte aligned
 * @slots:	slots of each, a power of two, VBUS_EVQ_SLOTS_MIN..MAX.  Signal
 *		ids are smaller than this, for every lane of the bus alike
 * @priority:	written by the host at HELLO: 0..VBUS_PRIORITY_MAX
 * @reserved:	zero
 */
struct vbus_lane_desc {
	__le64 h2g;
	__le64 g2h;
	__le32 slots;
	__le32 priority;
	__le32 reserved[2];
};

/**
 * struct vbus_active - active priority of one of the guest's CPUs
 * @active:	0: it serves no lane.  Else one more than the highest priority
 *		among the lanes that it serves: only lanes above interrupt
 * @pad:	zero
 *
 * Written by the guest only.
 */
struct vbus_active {
	__le32 active;
	__le32 pad[15];
};

/**
 * struct vbus_bus_page - the page that a bus hangs off
 * @magic:	VBUS_BUS_MAGIC
 * @nlanes:	lanes the guest uses, 1..VBUS_LANES_MAX
 * @session:	written by the host at HELLO
 * @active:	address of VBUS_ACTIVE_WORDS struct vbus_active, 64-byte aligned;
 *		0: the guest does not use them
 * @reserved:	zero
 * @lane:	one entry per lane; lane i uses doorbell and interrupt i
 *
 * Page-aligned.
 */
struct vbus_bus_page {
	__le32 magic;
	__le32 nlanes;
	__le64 session;
	__le64 active;
	__le64 reserved[5];
	struct vbus_lane_desc lane[VBUS_LANES_MAX];
};

/**
 * struct vbus_hello_req - attach, or attach anew
 * @req:	head
 * @version:	ABI version the guest speaks
 * @reserved:	zero
 * @features:	features the guest knows
 * @bus_page:	address of the bus page
 *
 * A version that the host does not speak gets VBUS_EVERSION and a complete
 * struct vbus_hello_rsp, so that the guest may come back with a lower one.  An
 * unknown feature gets VBUS_EOPNOTSUPP, likewise.
 */
struct vbus_hello_req {
	struct vbus_req req;
	__le32 version;
	__le32 reserved;
	__le64 features;
	__le64 bus_page;
};

/**
 * struct vbus_hello_rsp - answer to HELLO
 * @rsp:	head
 * @version:	highest ABI version of the host
 * @reserved:	zero
 * @features:	features of the session
 * @session:	cookie of the session, not zero
 */
struct vbus_hello_rsp {
	struct vbus_rsp rsp;
	__le32 version;
	__le32 reserved;
	__le64 features;
	__le64 session;
};

/**
 * struct vbus_list_req - the first device at or after a slot
 * @req:	head; @req.slot is where to start
 *
 * VBUS_ENODEV ends an enumeration.
 */
struct vbus_list_req {
	struct vbus_req req;
};

/**
 * struct vbus_list_rsp - a device
 * @rsp:	head
 * @slot:	its slot, 0..VBUS_SLOTS_MAX - 1
 * @reserved:	zero
 * @instance:	number that no other plugged device had; another one in the
 *		same slot means another device
 * @generation:	changes with what the device says of itself (its link)
 * @reserved2:	zero
 * @type:	type string, NUL-terminated: what drivers match
 */
struct vbus_list_rsp {
	struct vbus_rsp rsp;
	__le16 slot;
	__le16 reserved[3];
	__le64 instance;
	__le32 generation;
	__le32 reserved2;
	char type[VBUS_TYPE_LEN];
};

/* VBUS_VERB_OPEN and VBUS_VERB_CLOSE are a bare struct vbus_req.  CLOSE
 * unregisters the device's queues; when it is answered the host touches none
 * of their memory any more.
 */

/**
 * struct vbus_call_req - synchronous verb of a device
 * @req:	head
 * @func:	function, defined by the device's type
 * @len:	bytes of payload that follow, at most VBUS_CALL_MAX
 *
 * The response is a struct vbus_rsp followed by at most VBUS_CALL_MAX bytes.
 */
struct vbus_call_req {
	struct vbus_req req;
	__le32 func;
	__le32 len;
};

/**
 * struct vbus_shm_req - register (SHM) or unregister (UNSHM) a queue
 * @req:	head
 * @shm:	which queue, defined by the device's type, < VBUS_SHM_MAX
 * @signal:	signal id, 1..slots - 1, not in use
 * @lane:	lane that carries its signals
 * @log2:	log2 of the descriptors of each ring
 * @inline_len:	bytes of an inline slot: 0, or a multiple of 64
 * @reserved:	zero
 * @addr:	address of the region, 64-byte aligned, zeroed
 *
 * UNSHM looks at @req and @shm only; when it is answered the host touches none
 * of that memory any more.
 */
struct vbus_shm_req {
	struct vbus_req req;
	__le16 shm;
	__le16 signal;
	__le16 lane;
	__le16 log2;
	__le16 inline_len;
	__le16 reserved[3];
	__le64 addr;
};

#endif /* _UAPI_VBUS_BUS_H */
