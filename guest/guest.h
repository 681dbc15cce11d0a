/* SPDX-License-Identifier: GPL-2.0-only */
/* Private to vbus_guest.ko: what its files share. */
#ifndef VBUS_GUEST_PRIV_H
#define VBUS_GUEST_PRIV_H

#include "vbus_guest.h"

/* mem.c */
int vbus_mem_alloc(struct vbus_guest *guest, struct vbus_mem *mem, size_t size);
void vbus_mem_free(struct vbus_guest *guest, struct vbus_mem *mem);
void vbus_mem_abandon(struct vbus_guest *guest, struct vbus_mem *mem);
void vbus_mem_reap(struct vbus_guest *guest);

/* control.c: each sends one request and waits for the answer */
bool vbus_ctl_released(struct vbus_guest *guest);
int vbus_ctl_hello(struct vbus_guest *guest);
int vbus_ctl_list(struct vbus_guest *guest, u16 slot,
		  struct vbus_list_rsp *rsp);
int vbus_ctl_open(struct vbus_device *vdev);
void vbus_ctl_close(struct vbus_device *vdev);
int vbus_ctl_shm(struct vbus_queue *q, u16 log2);
void vbus_ctl_unshm(struct vbus_queue *q);
void vbus_ctl_down(struct vbus_guest *guest, bool quiet);

/* lane.c */
int vbus_lane_init(struct vbus_guest *guest, u32 index);
void vbus_lane_exit(struct vbus_lane *lane);
void vbus_lane_start(struct vbus_lane *lane);
void vbus_lane_stop(struct vbus_lane *lane);

/* spin.c */
void vbus_spin_init(struct vbus_lane *lane);
void vbus_spin_arming(struct vbus_lane *lane);
void vbus_spin_idle(struct vbus_lane *lane);
void vbus_spin_woken(struct vbus_lane *lane);
u32 vbus_spin_window(const struct vbus_lane *lane);
void vbus_spin_ended(struct vbus_lane *lane, u64 ns, bool up);
void vbus_spin_doze(struct vbus_lane *lane);
void vbus_spin_calibrate(struct vbus_guest *guest);

/* idle.c */
#ifdef VBUS_HAVE_IDLE
void vbus_idle_init(void);
void vbus_idle_exit(void);
void vbus_idle_join(struct vbus_lane *lane);
void vbus_idle_leave(struct vbus_lane *lane);
bool vbus_idle_asks(const struct vbus_lane *lane);
#else
static inline void vbus_idle_init(void)
{
}

static inline void vbus_idle_exit(void)
{
}

static inline void vbus_idle_join(struct vbus_lane *lane)
{
}

static inline void vbus_idle_leave(struct vbus_lane *lane)
{
}

/* Nobody would take it back: no lane says that it is awake. */
static inline bool vbus_idle_asks(const struct vbus_lane *lane)
{
	return false;
}
#endif

/* priority.c */
int vbus_prio_init(struct vbus_guest *guest);
void vbus_prio_exit(struct vbus_guest *guest);
void vbus_prio_reset(struct vbus_guest *guest);
int vbus_prio_attach(struct vbus_guest *guest);
void vbus_prio_wake(struct vbus_lane *lane);
void vbus_prio_sleep(struct vbus_lane *lane);

/* device.c */
extern struct bus_type vbus_guest_bus_type;
extern const struct device_type vbus_device_type;
int vbus_device_reopen(struct vbus_device *vdev);
void vbus_device_quiesce(struct vbus_device *vdev);
void vbus_device_changed(struct vbus_device *vdev);

/* scan.c */
void vbus_scan_request(struct vbus_guest *guest);
void vbus_scan_work(struct work_struct *work);
int vbus_scan(struct vbus_guest *guest);
void vbus_scan_remove_all(struct vbus_guest *guest);

#endif /* VBUS_GUEST_PRIV_H */
