/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of the event path: /sys/kernel/tracing/events/vbus.
 *
 * They name bus and lane, and cost nothing while they are off.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vbus

#if !defined(VBUS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define VBUS_TRACE_H

#include <linux/tracepoint.h>

#include "vbus_host.h"

DECLARE_EVENT_CLASS(vbus_lane,
	TP_PROTO(const struct vbus_lane *lane),
	TP_ARGS(lane),
	TP_STRUCT__entry(
		__string(bus, lane->bus->name)
		__field(unsigned int, lane)
	),
	TP_fast_assign(
		__assign_str(bus);
		__entry->lane = lane->index;
	),
	TP_printk("bus=%s lane=%u", __get_str(bus), __entry->lane)
);

/* The guest rang. */
DEFINE_EVENT(vbus_lane, vbus_doorbell,
	TP_PROTO(const struct vbus_lane *lane), TP_ARGS(lane));

/* The lane was armed: the next signal of the guest rings. */
DEFINE_EVENT(vbus_lane, vbus_arm,
	TP_PROTO(const struct vbus_lane *lane), TP_ARGS(lane));

/* The work was handed to the lane's worker. */
DEFINE_EVENT(vbus_lane, vbus_hand_over,
	TP_PROTO(const struct vbus_lane *lane), TP_ARGS(lane));

/* The lane's interrupt is raised. */
DEFINE_EVENT(vbus_lane, vbus_interrupt,
	TP_PROTO(const struct vbus_lane *lane), TP_ARGS(lane));

/* The lane's interrupt is held back, for that long at most. */
TRACE_EVENT(vbus_hold,
	TP_PROTO(const struct vbus_lane *lane, u32 usecs),
	TP_ARGS(lane, usecs),
	TP_STRUCT__entry(
		__string(bus, lane->bus->name)
		__field(unsigned int, lane)
		__field(u32, usecs)
	),
	TP_fast_assign(
		__assign_str(bus);
		__entry->lane = lane->index;
		__entry->usecs = usecs;
	),
	TP_printk("bus=%s lane=%u usecs=%u", __get_str(bus), __entry->lane,
		  __entry->usecs)
);

/* It is not held any more: raised, or saved because the guest has looked. */
TRACE_EVENT(vbus_hold_end,
	TP_PROTO(const struct vbus_lane *lane, bool raised),
	TP_ARGS(lane, raised),
	TP_STRUCT__entry(
		__string(bus, lane->bus->name)
		__field(unsigned int, lane)
		__field(bool, raised)
	),
	TP_fast_assign(
		__assign_str(bus);
		__entry->lane = lane->index;
		__entry->raised = raised;
	),
	TP_printk("bus=%s lane=%u %s", __get_str(bus), __entry->lane,
		  __entry->raised ? "raised" : "saved")
);

/* The lane's interrupt is not raised: the guest does something better. */
DEFINE_EVENT(vbus_lane, vbus_outranked,
	TP_PROTO(const struct vbus_lane *lane), TP_ARGS(lane));

/* Signals were taken from the guest. */
TRACE_EVENT(vbus_kicks,
	TP_PROTO(const struct vbus_lane *lane, u32 n),
	TP_ARGS(lane, n),
	TP_STRUCT__entry(
		__string(bus, lane->bus->name)
		__field(unsigned int, lane)
		__field(u32, n)
	),
	TP_fast_assign(
		__assign_str(bus);
		__entry->lane = lane->index;
		__entry->n = n;
	),
	TP_printk("bus=%s lane=%u n=%u", __get_str(bus), __entry->lane,
		  __entry->n)
);

/* A signal for the guest: what became of it (enum vbus_evq_push). */
TRACE_EVENT(vbus_signal,
	TP_PROTO(const struct vbus_lane *lane, u32 sig, int result),
	TP_ARGS(lane, sig, result),
	TP_STRUCT__entry(
		__string(bus, lane->bus->name)
		__field(unsigned int, lane)
		__field(u32, sig)
		__field(int, result)
	),
	TP_fast_assign(
		__assign_str(bus);
		__entry->lane = lane->index;
		__entry->sig = sig;
		__entry->result = result;
	),
	TP_printk("bus=%s lane=%u signal=%u %s", __get_str(bus), __entry->lane,
		  __entry->sig,
		  __print_symbolic(__entry->result,
				   { VBUS_EVQ_COALESCED, "coalesced" },
				   { VBUS_EVQ_QUEUED, "queued" },
				   { VBUS_EVQ_SIGNAL, "interrupt" },
				   { VBUS_EVQ_FULL, "refused" }))
);

#endif /* VBUS_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
