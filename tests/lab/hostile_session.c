// SPDX-License-Identifier: GPL-2.0-only
/* Scenarios of the control channel: handshake, requests, registrations. */
#define _GNU_SOURCE
#include <linux/vhost.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "hostile.h"

static void s_good(void)
{
	live_with_packets(0);
	say(tx_good());
	say(rx_good());
}

static void s_before_ok(void)
{
	map_all();
	vring(0);
	vring(1);
	bus_page();
	ctl_avail = 0;
	memset(at(RSP), 0xff, 8);
	ctl_desc(0, IOVA + REQ, 8, VRING_DESC_F_NEXT, 1);
	ctl_desc(1, IOVA + RSP, VBUS_CTL_RSP_MAX, VRING_DESC_F_WRITE, 0);
	say(ctl_submit(0, SILENCE_MS) < 0 ? "silence" : "answer");
	ring(1);
}

static void s_version(void)
{
	struct vbus_hello_req req = { .req.verb = VBUS_VERB_HELLO };
	struct vbus_hello_rsp *rsp = at(RSP);
	static const uint32_t versions[] = { 0, 2, 0xffffffff };
	unsigned int i;

	start_device();
	bus_page();
	for (i = 0; i < 3; i++) {
		req.version = versions[i];
		req.bus_page = IOVA + PAGE;
		say(request(req));
		if (rsp->version != VBUS_ABI_VERSION)
			say("but not told which");
	}
	say(hello());
}

static void s_features(void)
{
	struct vbus_hello_req req = {
		.req.verb = VBUS_VERB_HELLO,
		.version = VBUS_ABI_VERSION,
		.bus_page = IOVA + PAGE,
	};
	static const uint64_t features[] = { 1, 1ull << 63, ~0ull };
	unsigned int i;

	start_device();
	bus_page();
	for (i = 0; i < 3; i++) {
		req.features = features[i];
		say(request(req));
	}
	say(hello());
}

static void s_page_address(void)
{
	static const uint64_t bad[] = { OUTSIDE, IOVA + PAGE + 8, ~0xfffull,
		~0ull, 0, IOVA + MEM_SIZE, IOVA - 0x1000 };
	unsigned int i;

	start_device();
	bus_page();
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		say(hello_at(bad[i]));
	say(hello());
}

static void s_page_content(void)
{
	struct vbus_bus_page *page = at(PAGE);
	static const uint32_t lanes[] = { 0, 2, 17, 0xffffffff };
	static const uint32_t slots[] = { 0, 1, 32, 65, 8192, 0x80000000 };
	unsigned int i;

	start_device();
	bus_page();
	page->magic ^= 1;
	say(hello());
	bus_page();
	for (i = 0; i < 4; i++) {
		page->nlanes = lanes[i];
		say(hello());
	}
	bus_page();
	for (i = 0; i < 6; i++) {
		page->lane[0].slots = slots[i];
		say(hello());
	}
	bus_page();
	say(hello());
}

static void s_evq_address(void)
{
	struct vbus_bus_page *page = at(PAGE);
	static const uint64_t bad[] = { OUTSIDE, IOVA + MEM_SIZE - 64,
		IOVA + H2G + 4, ~63ull, ~0x7full };
	unsigned int i;

	start_device();
	for (i = 0; i < 5; i++) {
		bus_page();
		page->lane[0].h2g = bad[i];
		say(hello());
		bus_page();
		page->lane[0].g2h = bad[i];
		say(hello());
	}
	bus_page();
	say(hello());
}

static void s_active_address(void)
{
	static const uint64_t bad[] = { OUTSIDE, IOVA + MEM_SIZE - 64,
		IOVA + ACTIVE + 4, 1, ~63ull, IOVA + ACTIVE };
	unsigned int i;

	start_device();
	for (i = 0; i < 6; i++) {
		active = bad[i];
		bus_page();
		say(hello());
	}
}

/* Memory that may only be read, or only be written, is no event queue. */
static void s_evq_read_only(void)
{
	struct vbus_bus_page *page = at(PAGE);
	unsigned int half = MEM_SIZE / 2;

	if (iotlb(IOVA, half, mem, VHOST_ACCESS_RW, VHOST_IOTLB_UPDATE) ||
	    iotlb(IOVA + half, half, mem + half, VHOST_ACCESS_RO,
		  VHOST_IOTLB_UPDATE))
		die("map");
	vring(0);
	vring(1);
	driver_ok();
	bus_page();
	page->lane[0].h2g = IOVA + half;
	say(hello());
	bus_page();
	memcpy(mem + half, page, sizeof(*page));
	say(hello_at(IOVA + half));
	bus_page();
	say(hello());
	say(verb(VBUS_VERB_OPEN, 0));
	say(shm(shm_req(0, 1, IOVA + half)));
}

static void s_no_hello(void)
{
	start_device();
	say(verb(VBUS_VERB_LIST, 0));
	say(verb(VBUS_VERB_OPEN, 0));
	say(start_with(0, 1));
}

static void s_verbs(void)
{
	uint8_t tiny = 1;

	attach();
	say(verb(99, 0));
	say(verb(0, 0));
	say(verb(0xffff, 0));
	say(request_len(&tiny, 1, PATIENCE_MS));
	say(verb(VBUS_VERB_HELLO, 0));
	say(verb(VBUS_VERB_LIST, 1));
	say(verb(VBUS_VERB_LIST, 64));
	say(verb(VBUS_VERB_LIST, 0xffff));
	say_alive();
}

static void s_slots(void)
{
	attach();
	say(verb(VBUS_VERB_OPEN, 1));
	say(verb(VBUS_VERB_OPEN, 64));
	say(verb(VBUS_VERB_OPEN, 0xffff));
	say(verb(VBUS_VERB_CLOSE, 0));
	say(verb(VBUS_VERB_OPEN, 0));
	say(verb(VBUS_VERB_OPEN, 0));
	say(verb(VBUS_VERB_CLOSE, 0));
	say(verb(VBUS_VERB_CLOSE, 0));
	say_alive();
}

static const char *coalesce(uint32_t pair, uint32_t usecs, uint32_t frames)
{
	struct venet_coalesce c = { .pair = pair, .usecs = usecs,
				    .frames = frames };

	return call_len(VENET_CALL_COALESCE, &c, sizeof(c), sizeof(c));
}

static void s_calls(void)
{
	uint8_t data[300] = { 0 };

	attach();
	say(call_len(VENET_CALL_QUERY, data, 0, 0));
	must(verb(VBUS_VERB_OPEN, 0), "open");
	say(call_len(99, data, 0, 0));
	say(call_len(0xffffffff, data, 0, 0));
	say(call_len(VENET_CALL_START, data, 8, 8));
	say(call_len(VENET_CALL_START, data, 8, 16));
	say(call_len(VENET_CALL_START, data, 257, 257));
	say(call_len(VENET_CALL_START, data, 16, 0xffffffff));
	say(call_len(VENET_CALL_SET_MAC, "\1\0\0\0\0\1\0\0", 8, 8));
	say(call_len(VENET_CALL_SET_MAC, data, 8, 8));
	say(call_len(VENET_CALL_COALESCE, data, 12, 12));
	say(coalesce(VENET_PAIRS_MAX, 1, 1));
	say(coalesce(0xffffffff, 1, 1));
	say(coalesce(0, VENET_COALESCE_USECS_MAX + 1, 0));
	say(coalesce(0, 0, VENET_COALESCE_FRAMES_MAX + 1));
	say(coalesce(0, VENET_COALESCE_USECS_MAX, VENET_COALESCE_FRAMES_MAX));
	say(verb(VBUS_VERB_CALL, 0));
	say(call_len(VENET_CALL_QUERY, data, 0, 0));
}

static void s_queues(void)
{
	static const uint16_t logs[] = { 0, 3, 13, 31, 0xffff };
	static const uint16_t inlines[] = { 1, 63, 576, 0xffff };
	static const uint64_t addrs[] = { OUTSIDE, IOVA + RXQ + 8, ~63ull,
		IOVA + MEM_SIZE - 4096, IOVA - 64 };
	struct vbus_shm_req r;
	unsigned int i;

	attach();
	must(verb(VBUS_VERB_OPEN, 0), "open");
	say(shm(shm_req(64, 1, IOVA + RXQ)));
	say(shm(shm_req(0xffff, 1, IOVA + RXQ)));
	say(shm(shm_req(2, 1, IOVA + RXQ)));
	say(shm(shm_req(0, 0, IOVA + RXQ)));
	say(shm(shm_req(0, SLOTS, IOVA + RXQ)));
	say(shm(shm_req(0, 0xffff, IOVA + RXQ)));
	r = shm_req(0, 1, IOVA + RXQ);
	r.lane = 1;
	say(shm(r));
	for (i = 0; i < 5; i++) {
		r = shm_req(0, 1, IOVA + RXQ);
		r.log2 = logs[i];
		say(shm(r));
	}
	for (i = 0; i < 4; i++) {
		r = shm_req(0, 1, IOVA + RXQ);
		r.inline_len = inlines[i];
		say(shm(r));
	}
	for (i = 0; i < 5; i++)
		say(shm(shm_req(0, 1, addrs[i])));
	r = shm_req(0, 1, IOVA + RXQ);
	say(request_len(&r, 20, PATIENCE_MS));
	say(shm(r));
	say(shm(shm_req(0, 3, IOVA + RXQ)));
	say(shm(shm_req(1, 1, IOVA + TXQ)));
	r = shm_req(5, 0, 0);
	r.req.verb = VBUS_VERB_UNSHM;
	say(shm(r));
	r.shm = 0xffff;
	say(shm(r));
	r.shm = 0;
	say(shm(r));
}

static void s_start(void)
{
	attach();
	must(verb(VBUS_VERB_OPEN, 0), "open");
	say(start_with(0, 1));
	must(shm(shm_req(VENET_SHM_RX(0), 1, IOVA + RXQ)), "rx queue");
	say(start_with(0, 1));
	must(shm(shm_req(VENET_SHM_TX(0), 2, IOVA + TXQ)), "tx queue");
	say(start_with(VENET_F_ALL + 1, 1));
	say(start_with(~0ull, 1));
	say(start_with(VENET_F_TX_TSO4, 1));
	say(start_with(VENET_F_RX_TSO6, 1));
	say(start_with(0, 0));
	say(start_with(0, 2));
	say(start_with(0, 0xffffffff));
	say(start_with(0, 1));
	say(start_with(0, 1));
	say(shm(shm_req(2, 5, IOVA + RXQ)));
}

/* Chains on the control channel that lead nowhere. */
static void s_ctl_chains(void)
{
	const uint16_t next = VRING_DESC_F_NEXT, wr = VRING_DESC_F_WRITE;
	uint64_t req = IOVA + REQ, rsp = IOVA + RSP;
	unsigned int i;
	char n[16];

#define CHAIN(head) do { \
		snprintf(n, sizeof(n), "%d", ctl_submit(head, PATIENCE_MS)); \
		say(n); \
	} while (0)

	attach();
	ctl_desc(0, req, 0, next, 0);			/* itself, empty */
	CHAIN(0);
	ctl_desc(0, req, 8, next, 1);			/* two, for ever */
	ctl_desc(1, rsp, 8, next | wr, 0);
	CHAIN(0);
	CHAIN(NUM);					/* beyond the ring */
	CHAIN(0xffff);
	ctl_desc(0, req, 8, next, 0xffff);
	CHAIN(0);
	ctl_desc(0, req, 0xffffffff, next, 1);		/* endless piece */
	ctl_desc(1, rsp, 512, wr, 0);
	CHAIN(0);
	ctl_desc(0, OUTSIDE, 8, next, 1);		/* not its memory */
	CHAIN(0);
	ctl_desc(0, IOVA + MEM_SIZE - 4, 8, next, 1);
	CHAIN(0);
	ctl_desc(0, ~0ull - 3, 8, next, 1);		/* wraps */
	CHAIN(0);
	ctl_desc(0, rsp, 512, next | wr, 1);		/* the wrong way round */
	ctl_desc(1, req, 8, 0, 0);
	CHAIN(0);
	for (i = 0; i < 6; i++)				/* in too many pieces */
		ctl_desc(i, rsp + i, 1, wr | (i < 5 ? next : 0), i + 1);
	CHAIN(0);
	ctl_desc(0, req, 8, 0, 0);			/* no room for an answer */
	CHAIN(0);
	ctl_desc(0, req, 8, next, 1);			/* answer to nowhere */
	ctl_desc(1, OUTSIDE, 512, wr, 0);
	CHAIN(0);
	say_alive();
#undef CHAIN
}

static void s_ctl_index(void)
{
	struct vring_avail *avail = at(VRING(0) + AVAIL);

	attach();
	avail->idx = ctl_avail + NUM + 1;
	ring(0);
	wait_ms(SILENCE_MS);
	say(*ctl_used_idx() == ctl_avail ? "silence" : "answer");
	/* put right again it is as good as new */
	avail->idx = ctl_avail;
	say_alive();
}

static void ctl_vring_is(unsigned int num, uint64_t desc, uint64_t avail,
			 uint64_t used)
{
	map_all();
	vring_at(0, num, desc, avail, used, 0);
	vring(1);
	driver_ok();
	bus_page();
	ctl_desc(0, IOVA + REQ, 8, VRING_DESC_F_NEXT, 1);
	ctl_desc(1, IOVA + RSP, VBUS_CTL_RSP_MAX, VRING_DESC_F_WRITE, 0);
	say(ctl_submit(0, SILENCE_MS) < 0 ? "silence" : "answer");
}

static void s_ctl_desc_outside(void)
{
	uint64_t v = IOVA + VRING(0);

	ctl_vring_is(NUM, OUTSIDE, v + AVAIL, v + USED);
}

static void s_ctl_avail_outside(void)
{
	uint64_t v = IOVA + VRING(0);

	ctl_vring_is(NUM, v, OUTSIDE, v + USED);
}

static void s_ctl_used_outside(void)
{
	uint64_t v = IOVA + VRING(0);

	ctl_vring_is(NUM, v, v + AVAIL, ~0ull - 63);
}

/* vhost itself refuses these. */
static void s_ctl_size(void)
{
	static const unsigned int sizes[] = { 0, 48, 32768, 65536 };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		struct vhost_vring_state s = { .num = sizes[i] };

		say(ioctl(fd, VHOST_SET_VRING_NUM, &s) ? "refused" : "taken");
	}
	attach();
	say_alive();
}

/* A restart that claims to be a pause of a session that there is not. */
static void s_false_resume(void)
{
	uint64_t v = IOVA + VRING(1);

	map_all();
	vring(0);
	vring_at(1, NUM, v, v + AVAIL, v + USED, 1);
	driver_ok();
	say(verb(VBUS_VERB_LIST, 0));
	bus_page();
	say(hello());
}

const struct scenario session_scenarios[] = {
#define S(name) { #name, s_##name }
	S(good), S(before_ok), S(version), S(features), S(page_address),
	S(page_content), S(evq_address), S(active_address), S(evq_read_only),
	S(no_hello), S(verbs), S(slots), S(calls), S(queues), S(start),
	S(ctl_chains), S(ctl_index), S(ctl_desc_outside),
	S(ctl_avail_outside), S(ctl_used_outside), S(ctl_size),
	S(false_resume),
#undef S
	{ NULL, NULL },
};
