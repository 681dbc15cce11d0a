/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest side that does not behave: what its scenarios are made of.
 *
 * "Guest memory" is one mapping of MEM_SIZE bytes at IOVA; all addresses given
 * to the host are IOVA + offset, and everything else is outside.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <stdint.h>

#include <vbus/bus.h>
#include <vbus/evq.h>
#include <vbus/ioq.h>
#include <vbus/venet.h>
#include <vbus/virtio.h>

#define MEM_SIZE	(16u << 20)
#define IOVA		0x40000000ull
#define OUTSIDE		0x7fff00000000ull
#define NUM		64u		/* entries of a vring */
#define SLOTS		64u		/* of an event queue */
#define LOG2		6u
#define RING		(1u << LOG2)
#define INLINE		64u
#define ETHERTYPE	0x88b5		/* for local experiments */
#define PATIENCE_MS	20000
#define SILENCE_MS	300

/* Offsets of things in guest memory */
#define VRING(q)	(0x4000u * (q))
#define AVAIL		0x1000u
#define USED		0x2000u
#define PAGE		0x40000u
#define H2G		0x41000u
#define G2H		0x42000u
#define ACTIVE		0x44000u
#define REQ		0x50000u
#define RSP		0x51000u
#define RXQ		0x60000u
#define TXQ		0x70000u
#define BUF		0x100000u
#define BUF_SIZE	0x10000u

/**
 * struct scenario - what is played once
 * @name:	as the command line names it, NULL: end of a list
 * @run:	plays it, and say()s what came of it
 */
struct scenario {
	const char *name;
	void (*run)(void);
};

/* one for each hostile_*.c but hostile_data.c */
extern const struct scenario session_scenarios[], memory_scenarios[];
extern const struct scenario queue_scenarios[];
extern const struct scenario zerocopy_scenarios[], tunnel_scenarios[];

extern int fd, kick[2], call[2];	/* the device, and of its two vrings */
extern int packet;		/* socket at the host's end of the venet, -1: none yet */
extern uint8_t *mem;		/* guest memory */
extern uint16_t ctl_avail;	/* requests put into the control queue */
/* positions in the event queue to the host and in the rings */
extern unsigned int evq_pos, tx_pos, tx_done, rx_pos, rx_done;
extern const char *ifname;	/* host's end of the venet */
extern uint64_t active;		/* of the bus page */

/* hostile.c: the device, and the control channel */
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void *at(unsigned int off);
long now_ms(void);
void wait_ms(int ms);
int iotlb(uint64_t iova, uint64_t size, void *va, int perm, int type);
void map_all(void);
void vring_at(unsigned int q, unsigned int num, uint64_t desc,
	      uint64_t avail, uint64_t used, unsigned int base);
void vring(unsigned int q);
void driver_ok(void);
void start_device(void);
void ring(unsigned int q);
void ctl_desc(unsigned int i, uint64_t addr, uint32_t len,
	      uint16_t flags, uint16_t next);
volatile uint16_t *ctl_used_idx(void);
int ctl_submit(uint16_t head, int patience);
const char *request_len(const void *req, uint32_t len, int patience);
void say(const char *what);
void say_alive(void);
void bus_page(void);
const char *hello_at(uint64_t addr);
const char *hello(void);
void must(const char *got, const char *what);
void attach(void);
const char *verb(uint16_t v, uint16_t slot);
const char *call_len(uint32_t func, const void *data, uint32_t len,
		     uint32_t claim);
const char *start_with(uint64_t features, uint32_t pairs);
struct vbus_shm_req shm_req(uint16_t shm, uint16_t signal, uint64_t addr);
const char *shm(struct vbus_shm_req req);

#define request(req)	request_len(&(req), sizeof(req), PATIENCE_MS)

/* hostile_data.c: the data path */
/* A packet descriptor without flags. */
#define META(type, csum_off, csum_start, gso_size) \
	((uint64_t)(type) | (uint64_t)(csum_off) << 8 | \
	 (uint64_t)(csum_start) << 16 | (uint64_t)(gso_size) << 32)

void open_venet(void);
void signal_host(unsigned int sig);
void put(unsigned int region, unsigned int *pos, uint64_t addr,
	 uint32_t len, uint16_t id, uint16_t flags);
void tx(uint64_t addr, uint32_t len, uint16_t flags);
int completion(unsigned int region, unsigned int *pos, int patience);
const char *tx_result(void);
void packet_open(void);
void frame(uint8_t *f, unsigned int len);
const char *tx_good(void);
const char *rx_result(void);
void rx_buffer(uint64_t addr, uint32_t len);
const char *rx_good(void);
void live_with_packets(uint64_t features);
const char *tx_meta(uint64_t meta, unsigned int len);

#endif /* HOSTILE_H */
