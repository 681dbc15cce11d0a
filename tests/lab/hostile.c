// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest side that does not behave: drives /dev/vhost-vdpa-N by hand.
 *
 * usage: hostile DEVICE IFNAME SCENARIO
 *
 * Each run opens the device, does one scenario and prints what came of it in
 * one line: statuses of the host's answers ("EINVAL EBUSY"), "error" and "done"
 * for transmit completions, "silence" where no answer is right.  hostile.sh
 * knows what is expected.  IFNAME is the host's end of the venet in slot 0.
 *
 * "Guest memory" is one mapping of MEM_SIZE bytes at IOVA; all addresses given
 * to the host are IOVA + offset, and everything else is outside.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <net/if.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

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

static int fd = -1, kick[2], call[2], packet = -1;
static uint8_t *mem;
static uint16_t ctl_avail;
static unsigned int evq_pos, tx_pos, tx_done, rx_pos, rx_done;
static const char *ifname;
static uint64_t active;	/* of the bus page */

static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("cannot ");
	vprintf(fmt, ap);
	printf(": %s\n", strerror(errno));
	va_end(ap);
	exit(2);
}

static void *at(unsigned int off)
{
	return mem + off;
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void wait_ms(int ms)
{
	poll(NULL, 0, ms);
}

/* ------------------------------------------------------------- vhost-vdpa */

static void xioctl(unsigned long nr, void *arg, const char *what)
{
	if (ioctl(fd, nr, arg) < 0)
		die("%s", what);
}

static void set_status(uint8_t status)
{
	xioctl(VHOST_VDPA_SET_STATUS, &status, "set status");
}

static int iotlb(uint64_t iova, uint64_t size, void *va, int perm, int type)
{
	struct vhost_msg_v2 msg = {
		.type = VHOST_IOTLB_MSG_V2,
		.iotlb = {
			.iova = iova,
			.size = size,
			.uaddr = (uintptr_t)va,
			.perm = perm,
			.type = type,
		},
	};

	return write(fd, &msg, sizeof(msg)) == sizeof(msg) ? 0 : -1;
}

static void open_device(const char *path)
{
	uint64_t features;

	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("open %s", path);
	mem = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (mem == MAP_FAILED)
		die("allocate");
	xioctl(VHOST_SET_OWNER, NULL, "own it");
	set_status(0);
	set_status(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	xioctl(VHOST_GET_FEATURES, &features, "get features");
	features &= 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_ACCESS_PLATFORM;
	xioctl(VHOST_SET_FEATURES, &features, "set features");
	features = 1ull << VHOST_BACKEND_F_IOTLB_MSG_V2;
	xioctl(VHOST_SET_BACKEND_FEATURES, &features, "set backend features");
	set_status(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
		   VIRTIO_CONFIG_S_FEATURES_OK);
}

static void map_all(void)
{
	if (iotlb(IOVA, MEM_SIZE, mem, VHOST_ACCESS_RW, VHOST_IOTLB_UPDATE))
		die("map memory");
}

/* A vring at any address, of any size. */
static void vring_at(unsigned int q, unsigned int num, uint64_t desc,
		     uint64_t avail, uint64_t used, unsigned int base)
{
	struct vhost_vring_state s = { .index = q, .num = num };
	struct vhost_vring_addr a = {
		.index = q,
		.desc_user_addr = desc,
		.avail_user_addr = avail,
		.used_user_addr = used,
	};
	struct vhost_vring_file f = { .index = q };

	xioctl(VHOST_SET_VRING_NUM, &s, "set vring size");
	s.num = base;
	xioctl(VHOST_SET_VRING_BASE, &s, "set vring base");
	xioctl(VHOST_SET_VRING_ADDR, &a, "set vring addresses");
	kick[q] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	call[q] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	f.fd = kick[q];
	xioctl(VHOST_SET_VRING_KICK, &f, "set kick");
	f.fd = call[q];
	xioctl(VHOST_SET_VRING_CALL, &f, "set call");
	s.num = 1;
	xioctl(VHOST_VDPA_SET_VRING_ENABLE, &s, "enable vring");
}

static void vring(unsigned int q)
{
	uint64_t v = IOVA + VRING(q);

	vring_at(q, NUM, v, v + AVAIL, v + USED, 0);
}

static void driver_ok(void)
{
	set_status(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
		   VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
}

static void start_device(void)
{
	map_all();
	vring(0);
	vring(1);
	driver_ok();
}

static void ring(unsigned int q)
{
	uint64_t one = 1;

	if (write(kick[q], &one, sizeof(one)) != sizeof(one) && errno != EAGAIN)
		die("ring");
}

/* -------------------------------------------------------- control channel */

static void ctl_desc(unsigned int i, uint64_t addr, uint32_t len,
		     uint16_t flags, uint16_t next)
{
	struct vring_desc *d = at(VRING(0));

	d[i].addr = addr;
	d[i].len = len;
	d[i].flags = flags;
	d[i].next = next;
}

static volatile uint16_t *ctl_used_idx(void)
{
	struct vring_used *used = at(VRING(0) + USED);

	return &used->idx;
}

/* Make the chain at @head available; the host's answer's length, -1: none. */
static int ctl_submit(uint16_t head, int patience)
{
	struct vring_avail *avail = at(VRING(0) + AVAIL);
	struct vring_used *used = at(VRING(0) + USED);
	long end = now_ms() + patience;

	avail->ring[ctl_avail % NUM] = head;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	avail->idx = ++ctl_avail;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	ring(0);
	while (*ctl_used_idx() != ctl_avail) {
		struct pollfd p = { .fd = call[0], .events = POLLIN };
		uint64_t n;

		if (now_ms() >= end)
			return -1;
		poll(&p, 1, 20);
		if (read(call[0], &n, sizeof(n)) < 0 && errno != EAGAIN)
			die("read");
	}
	return used->ring[(ctl_avail - 1) % NUM].len;
}

static const char *status_name(uint32_t status)
{
	static const char *const names[] = {
		"OK", "EINVAL", "EVERSION", "EFAULT", "ENODEV", "EBUSY",
		"ENOSYS", "ENOMEM", "ENOTCONN", "EOPNOTSUPP",
	};

	return status < sizeof(names) / sizeof(names[0]) ? names[status] : "?";
}

/*
 * Send a request; the status by name, "nothing" for an answer without one,
 * "silence" without an answer.
 */
static const char *request_len(const void *req, uint32_t len, int patience)
{
	struct vbus_rsp *rsp = at(RSP);
	int got;

	memcpy(at(REQ), req, len);
	memset(rsp, 0xff, VBUS_CTL_RSP_MAX);
	ctl_desc(0, IOVA + REQ, len, VRING_DESC_F_NEXT, 1);
	ctl_desc(1, IOVA + RSP, VBUS_CTL_RSP_MAX, VRING_DESC_F_WRITE, 0);
	got = ctl_submit(0, patience);
	return got < 0 ? "silence" : !got ? "nothing" : status_name(rsp->status);
}

#define request(req) request_len(&(req), sizeof(req), PATIENCE_MS)

static void say(const char *what)
{
	static int n;

	printf("%s%s", n++ ? " " : "", what);
	fflush(stdout);
}

/* Whatever happened, the host must still answer this. */
static void say_alive(void)
{
	struct vbus_req req = { .verb = VBUS_VERB_LIST };

	say(request(req));
}

static void bus_page(void)
{
	struct vbus_bus_page *page = at(PAGE);

	memset(page, 0, sizeof(*page));
	memset(at(H2G), 0, VBUS_EVQ_BYTES(SLOTS));
	memset(at(G2H), 0, VBUS_EVQ_BYTES(SLOTS));
	page->magic = VBUS_BUS_MAGIC;
	page->nlanes = 1;
	page->lane[0].h2g = IOVA + H2G;
	page->lane[0].g2h = IOVA + G2H;
	page->lane[0].slots = SLOTS;
	page->active = active;
	evq_pos = 0;
}

static const char *hello_at(uint64_t addr)
{
	struct vbus_hello_req req = {
		.req.verb = VBUS_VERB_HELLO,
		.version = VBUS_ABI_VERSION,
		.bus_page = addr,
	};

	return request(req);
}

static const char *hello(void)
{
	return hello_at(IOVA + PAGE);
}

static void must(const char *got, const char *what)
{
	if (strcmp(got, "OK")) {
		printf("%s: %s\n", what, got);
		exit(2);
	}
}

static void attach(void)
{
	start_device();
	bus_page();
	must(hello(), "hello");
}

static const char *verb(uint16_t v, uint16_t slot)
{
	struct vbus_req req = { .verb = v, .slot = slot };

	return request(req);
}

static const char *call_len(uint32_t func, const void *data, uint32_t len,
			    uint32_t claim)
{
	struct {
		struct vbus_call_req req;
		uint8_t data[512];
	} c = { .req = { .req.verb = VBUS_VERB_CALL, .func = func,
			 .len = claim } };

	memcpy(c.data, data, len);
	return request_len(&c, sizeof(c.req) + len, PATIENCE_MS);
}

static const char *start_with(uint64_t features, uint32_t pairs)
{
	struct venet_start s = { .features = features, .pairs = pairs };

	return call_len(VENET_CALL_START, &s, sizeof(s), sizeof(s));
}

static struct vbus_shm_req shm_req(uint16_t shm, uint16_t signal, uint64_t addr)
{
	struct vbus_shm_req req = {
		.req.verb = VBUS_VERB_SHM,
		.shm = shm,
		.signal = signal,
		.log2 = LOG2,
		.inline_len = INLINE,
		.addr = addr,
	};

	return req;
}

static const char *shm(struct vbus_shm_req req)
{
	return request(req);
}

/* -------------------------------------------------------------- data path */

static void open_venet(void)
{
	memset(at(RXQ), 0, VBUS_IOQ_BYTES(LOG2, INLINE));
	memset(at(TXQ), 0, VBUS_IOQ_BYTES(LOG2, INLINE));
	tx_pos = tx_done = rx_pos = rx_done = 0;
	must(verb(VBUS_VERB_OPEN, 0), "open");
	must(shm(shm_req(VENET_SHM_RX(0), 1, IOVA + RXQ)), "rx queue");
	must(shm(shm_req(VENET_SHM_TX(0), 2, IOVA + TXQ)), "tx queue");
}

static void go_live(uint64_t features)
{
	attach();
	open_venet();
	must(start_with(features, 1), "start");
}

static void signal_host(unsigned int sig)
{
	struct vbus_evq *q = at(G2H);
	uint32_t phase = evq_pos / SLOTS & 1 ? 0 : VBUS_EVQ_PHASE;

	__atomic_store_n(&q->slot[evq_pos % SLOTS], phase | sig,
			 __ATOMIC_SEQ_CST);
	evq_pos++;
	ring(1);
}

static uint16_t phase_of(unsigned int pos)
{
	return pos / RING & 1 ? 0 : VBUS_DESC_F_PHASE;
}

/* Write a descriptor; it is the host's at once. */
static void put(unsigned int region, unsigned int *pos, uint64_t addr,
		uint32_t len, uint16_t id, uint16_t flags)
{
	struct vbus_desc *d = at(region + VBUS_IOQ_SUB_DESC);

	d += *pos % RING;
	d->addr = addr;
	d->len = len;
	d->id = id;
	__atomic_store_n(&d->flags, (uint16_t)(flags | phase_of(*pos)),
			 __ATOMIC_SEQ_CST);
	(*pos)++;
}

static void tx(uint64_t addr, uint32_t len, uint16_t flags)
{
	put(TXQ, &tx_pos, addr, len, tx_pos, flags);
}

/* The next completion: its flags without the phase, -1: none comes. */
static int completion(unsigned int region, unsigned int *pos, int patience)
{
	volatile struct vbus_desc *d = at(region + VBUS_IOQ_COMP_DESC(LOG2));
	long end = now_ms() + patience;

	d += *pos % RING;
	while ((d->flags & VBUS_DESC_F_PHASE) != phase_of(*pos)) {
		if (now_ms() >= end)
			return -1;
		wait_ms(2);
	}
	(*pos)++;
	return d->flags & ~VBUS_DESC_F_PHASE;
}

/* What became of the chain that was just put. */
static const char *tx_result(void)
{
	int flags;

	signal_host(2);
	flags = completion(TXQ, &tx_done, PATIENCE_MS);
	return flags < 0 ? "silence" : flags & VBUS_DESC_F_ERROR ? "error" : "done";
}

static void packet_open(void)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htobe16(ETHERTYPE),
		.sll_ifindex = if_nametoindex(ifname),
	};

	packet = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htobe16(ETHERTYPE));
	if (packet < 0 || bind(packet, (struct sockaddr *)&ll, sizeof(ll)))
		die("listen on %s", ifname);
}

/* A frame that differs each time. */
static void frame(uint8_t *f, unsigned int len)
{
	static uint32_t seed = 1;
	unsigned int i;

	memset(f, 0xff, 6);
	memcpy(f + 6, "\x02\0\0\0\0\x01\x88\xb5", 8);
	for (i = 14; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		f[i] = seed >> 24;
	}
}

/* A good packet passes with the right bytes: "passed". */
static const char *tx_good(void)
{
	uint8_t *f = at(BUF), got[2048];
	struct pollfd p = { .fd = packet, .events = POLLIN };
	const char *result;

	frame(f, 1000);
	tx(IOVA + BUF, 600, VBUS_DESC_F_NEXT);
	tx(IOVA + BUF + 600, 400, 0);
	result = tx_result();
	if (strcmp(result, "done"))
		return result;
	if (poll(&p, 1, PATIENCE_MS) != 1 || p.revents != POLLIN)
		return "lost";
	return recv(packet, got, sizeof(got), 0) == 1000 &&
	       !memcmp(got, f, 1000) ? "passed" : "changed";
}

/* Buffers for the host, then a packet from it. */
static const char *rx_result(void)
{
	uint8_t f[1000];
	int flags;

	signal_host(1);
	frame(f, sizeof(f));
	if (send(packet, f, sizeof(f), 0) != sizeof(f))
		return strerror(errno);
	flags = completion(RXQ, &rx_done, PATIENCE_MS);
	return flags < 0 ? "silence" : flags & VBUS_DESC_F_ERROR ? "error" :
	       memcmp(at(BUF + 0x8000), f, sizeof(f)) ? "changed" : "passed";
}

static void rx_buffer(uint64_t addr, uint32_t len)
{
	put(RXQ, &rx_pos, addr, len, rx_pos, 0);
}

static const char *rx_good(void)
{
	memset(at(BUF + 0x8000), 0, 2048);
	rx_buffer(IOVA + BUF + 0x8000, 2048);
	return rx_result();
}

static void live_with_packets(uint64_t features)
{
	packet_open();
	go_live(features);
}

/* -------------------------------------------------------------- scenarios */

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

/* ---- transmit */

static void s_tx_addresses(void)
{
	live_with_packets(0);
	tx(OUTSIDE, 100, 0);
	say(tx_result());
	tx(IOVA + MEM_SIZE - 50, 100, 0);
	say(tx_result());
	tx(~0ull - 49, 100, 0);			/* wraps */
	say(tx_result());
	tx(IOVA - 50, 100, 0);
	say(tx_result());
	tx(IOVA + BUF, 100, VBUS_DESC_F_NEXT);
	tx(OUTSIDE, 100, 0);
	say(tx_result());
	say(tx_good());
}

static void s_tx_lengths(void)
{
	live_with_packets(0);
	tx(IOVA + BUF, 0, 0);
	say(tx_result());
	tx(IOVA + BUF, 13, 0);
	say(tx_result());
	tx(IOVA + BUF, VENET_FRAME_MAX + 1, 0);
	say(tx_result());
	tx(IOVA + BUF, 0xffffffff, 0);
	say(tx_result());
	tx(IOVA + BUF, 60, VBUS_DESC_F_NEXT);	/* the sum wraps */
	tx(IOVA + BUF, 0xffffffff - 20, 0);
	say(tx_result());
	tx(IOVA + BUF, 0x80000000, VBUS_DESC_F_NEXT);
	tx(IOVA + BUF, 0x80000000 + 60, 0);
	say(tx_result());
	say(tx_good());
}

static void s_tx_chains(void)
{
	unsigned int i;

	live_with_packets(0);
	/* one piece more than allowed */
	for (i = 0; i < VENET_CHAIN_MAX; i++)
		tx(IOVA + BUF, 20, VBUS_DESC_F_NEXT);
	tx(IOVA + BUF, 20, 0);
	say(tx_result());
	/* goes on in a descriptor that is not there */
	tx(IOVA + BUF, 100, VBUS_DESC_F_NEXT);
	say(tx_result());
	say(tx_good());
}

/* The whole ring is one chain without an end. */
static void s_tx_endless(void)
{
	unsigned int i;

	live_with_packets(0);
	for (i = 0; i < RING; i++)
		tx(IOVA + BUF, 20, VBUS_DESC_F_NEXT);
	say(tx_result());
	say(tx_good());
}

static void s_tx_inline(void)
{
	live_with_packets(0);
	tx(0, INLINE + 1, VBUS_DESC_F_INLINE);
	say(tx_result());
	tx(0, 0xffffffff, VBUS_DESC_F_INLINE);
	say(tx_result());
	tx(0, 0, VBUS_DESC_F_INLINE | VBUS_DESC_F_META);
	say(tx_result());
	/* what fits is fine, wherever its address points */
	frame(at(TXQ + VBUS_IOQ_INLINE(LOG2) + tx_pos * INLINE), INLINE);
	tx(OUTSIDE, INLINE, VBUS_DESC_F_INLINE);
	say(tx_result());
	packet_open();
	say(tx_good());
}

static const char *tx_meta(uint64_t meta, unsigned int len)
{
	frame(at(BUF), len);
	tx(meta, 0, VBUS_DESC_F_META | VBUS_DESC_F_NEXT);
	tx(IOVA + BUF, len, 0);
	return tx_result();
}

#define META(type, csum_off, csum_start, gso_size) \
	((uint64_t)(type) | (uint64_t)(csum_off) << 8 | \
	 (uint64_t)(csum_start) << 16 | (uint64_t)(gso_size) << 32)

static void s_tx_meta(void)
{
	live_with_packets(VENET_F_TX_CSUM | VENET_F_TX_TSO4 | VENET_F_TX_TSO6);
	say(tx_meta(META(VENET_GSO_TCPV4, 0, 0, 1000), 4000));	/* no checksum */
	say(tx_meta(META(VENET_GSO_TCPV4, 16, 34, 0), 4000));	/* no size */
	say(tx_meta(META(VENET_GSO_UDP_L4, 6, 34, 1000), 4000));	/* not agreed */
	say(tx_meta(META(5, 16, 34, 1000), 4000));		/* no such type */
	say(tx_meta(META(0x7f, 16, 34, 1000), 4000));
	say(tx_meta(META(0, 16, 1000, 0), 1000));		/* behind the end */
	say(tx_meta(META(0, 16, 0xffff, 0), 1000));
	say(tx_meta(META(0, 255, 900, 0), 1000));
	tx(IOVA + BUF, 100, VBUS_DESC_F_NEXT);			/* not the first */
	tx(0, 0, VBUS_DESC_F_META);
	say(tx_result());
	tx(0, 0, VBUS_DESC_F_META);				/* and no frame */
	say(tx_result());
	packet_open();
	say(tx_good());
}

static void s_tx_meta_not_agreed(void)
{
	live_with_packets(0);
	say(tx_meta(META(0, 16, 34, 0), 1000));
	say(tx_meta(META(VENET_GSO_TCPV4, 16, 34, 1000), 4000));
	packet_open();
	say(tx_good());
}

/* ---- receive */

static void s_rx_buffers(void)
{
	live_with_packets(0);
	rx_buffer(OUTSIDE, 2048);
	say(rx_result());
	rx_buffer(IOVA + MEM_SIZE - 100, 2048);
	say(rx_result());
	rx_buffer(~0ull - 99, 2048);
	say(rx_result());
	/* two that are too small: each looks like the smallest allowed */
	rx_buffer(IOVA + BUF, 0);
	rx_buffer(IOVA + BUF, 100);
	say(rx_result());
	rx_buffer(IOVA + BUF + 0x8000, 0xffffffff);	/* longer than memory */
	say(rx_result());
	/* of the two small ones the second was left; now comes the long one */
	rx_buffer(IOVA + BUF, 100);
	say(rx_result());
	say("then");
	while (completion(RXQ, &rx_done, SILENCE_MS) >= 0)
		;
	say(tx_good());
}

/* Takes nothing that the host sends, and answers no event. */
static void s_rx_never(void)
{
	uint8_t f[1000];
	unsigned int i, sent = 0;

	live_with_packets(0);
	for (i = 0; i < 5000; i++) {
		frame(f, sizeof(f));
		sent += send(packet, f, sizeof(f), MSG_DONTWAIT) > 0;
	}
	say(sent < 5000 ? "held" : "swallowed");
	say(tx_good());
	/* the driver wakes up: what was held comes, and new packets too */
	for (i = 0; i < RING; i++)
		rx_buffer(IOVA + BUF + 0x8000, 2048);
	signal_host(1);
	say(completion(RXQ, &rx_done, PATIENCE_MS) == 0 ? "goes on" : "stuck");
}

/* ---- event queues and doorbells */

static void s_evq_ids(void)
{
	struct vbus_evq *q = at(G2H);
	unsigned int i;

	live_with_packets(0);
	for (i = 0; i < 200; i++) {
		static const uint32_t ids[] = { 0, 3, SLOTS, 0xffff, 0x7fff };

		signal_host(ids[i % 5]);
		if (i % 32 == 0)
			wait_ms(2);
	}
	(void)q;
	/* let it be consumed before the queue is used again */
	for (i = 0; i < 1000 && __atomic_load_n(&q->cons, __ATOMIC_SEQ_CST) != evq_pos; i++)
		wait_ms(10);
	say(q->cons == evq_pos ? "consumed" : "stuck");
	say(tx_good());
}

/* Words that outrank everything, and names of words that there are not. */
static void s_active_words(void)
{
	struct vbus_evq *q = at(H2G);
	static const uint32_t which[] = { 1, VBUS_ACTIVE_WORDS, 0xffffffff,
		VBUS_ACTIVE_WORDS + 1, 0x80000000 };
	unsigned int i;

	active = IOVA + ACTIVE;
	memset(at(ACTIVE), 0xff, VBUS_ACTIVE_WORDS * sizeof(struct vbus_active));
	live_with_packets(0);
	for (i = 0; i < 40; i++) {
		q->active = which[i % 5];
		q->arm = q->cons + i % 3;
		tx(OUTSIDE, 100, 0);
		if (strcmp(tx_result(), "error")) {
			say("silence");
			return;
		}
	}
	say("answered");
	say(verb(VBUS_VERB_LIST, 0));
}

static void s_evq_positions(void)
{
	struct vbus_evq *q = at(H2G);
	static const uint32_t bad[] = { 0xdeadbeef, 0x80000000, 0xffffffff, 1000 };
	unsigned int i;

	live_with_packets(0);
	for (i = 0; i < 40; i++) {
		q->cons = bad[i % 4];
		q->arm = bad[(i + 1) % 4];
		tx(OUTSIDE, 100, 0);
		if (strcmp(tx_result(), "error")) {
			say("silence");
			return;
		}
	}
	say("answered");
	say(verb(VBUS_VERB_LIST, 0));
}

static void s_flood(void)
{
	unsigned int n;
	long end;

	live_with_packets(0);
	end = now_ms() + 5000;
	for (n = 0; now_ms() < end; n++)
		ring(n & 1);
	say(n > 10000 ? "flooded" : "too slow");
	say(tx_good());
	say_alive();
}

/* Everything shared is overwritten at random while all of it is in use. */
static void s_scribble(void)
{
	static const unsigned int where[] = { H2G, G2H, RXQ, TXQ };
	uint64_t r = 88172645463325252ull;
	long end = now_ms() + 8000;
	uint8_t f[1000];
	unsigned int n;

	live_with_packets(VENET_F_ALL);
	frame(f, sizeof(f));
	for (n = 0; n % 64 || now_ms() < end; n++) {
		unsigned int region = where[r % 4];
		unsigned int size = region < RXQ ? VBUS_EVQ_BYTES(SLOTS) :
						   VBUS_IOQ_BYTES(LOG2, INLINE);

		r ^= r << 13;
		r ^= r >> 7;
		r ^= r << 17;
		/* mostly small numbers, so that some of it makes sense */
		*(uint16_t *)at(region + (r >> 8) % (size / 2) * 2) =
			r >> 62 ? (r >> 40) % 64 | (r >> 20 & 0x8000) : r >> 32;
		if (n % 8 == 0)
			ring(1);
		if (n % 64 == 0)
			send(packet, f, sizeof(f), MSG_DONTWAIT);
	}
	/* nothing is left that could work, but the bus answers */
	say_alive();
	say(verb(VBUS_VERB_CLOSE, 0));
	bus_page();
	say(hello());
	close(packet);
	packet_open();
	open_venet();
	must(start_with(0, 1), "start");
	say(tx_good());
	say(rx_good());
}

/* ---- memory */

static void s_unmap(void)
{
	live_with_packets(0);
	if (iotlb(IOVA, MEM_SIZE, NULL, 0, VHOST_IOTLB_INVALIDATE))
		die("unmap");
	ring(0);
	ring(1);
	wait_ms(SILENCE_MS);
	map_all();
	say(verb(VBUS_VERB_LIST, 0));
	bus_page();
	say(hello());
	open_venet();
	must(start_with(0, 1), "start");
	say(tx_good());
}

/* Other memory comes and goes while it runs: the session goes on. */
static void s_remap(void)
{
	unsigned int i;

	live_with_packets(0);
	for (i = 0; i < 20; i++) {
		if (iotlb(IOVA + MEM_SIZE, 0x1000, mem + BUF, VHOST_ACCESS_RW,
			  VHOST_IOTLB_UPDATE))
			die("map");
		if (iotlb(IOVA + MEM_SIZE, 0x1000, NULL, 0,
			  VHOST_IOTLB_INVALIDATE))
			die("unmap");
	}
	say(tx_good());
	say(rx_good());
}

static void s_hello_twice(void)
{
	live_with_packets(0);
	say(tx_good());
	bus_page();
	say(hello());
	say(start_with(0, 1));
	open_venet();
	must(start_with(0, 1), "start");
	say(tx_good());
	say(rx_good());
}

/* Queues are taken away and the device closed while packets are under way. */
static void s_close_in_use(void)
{
	unsigned int i, j;

	packet_open();
	attach();
	for (i = 0; i < 10; i++) {
		struct vbus_shm_req r = shm_req(VENET_SHM_TX(0), 0, 0);

		open_venet();
		must(start_with(0, 1), "start");
		for (j = 0; j < 20; j++) {
			frame(at(BUF), 1000);
			tx(IOVA + BUF, 1000, 0);
			signal_host(2);
		}
		r.req.verb = VBUS_VERB_UNSHM;
		if (i % 2)
			must(shm(r), "unshm");
		must(verb(VBUS_VERB_CLOSE, 0), "close");
		/* the event queue is shared by what comes next */
		wait_ms(10);
	}
	close(packet);
	packet_open();
	open_venet();
	must(start_with(0, 1), "start");
	say(tx_good());
}

/* Gone without a word, in the middle of everything. */
static void s_exit(void)
{
	unsigned int i;

	live_with_packets(0);
	for (i = 0; i < 32; i++)
		tx(IOVA + BUF, 1000, 0);
	signal_host(2);
	say("gone");
}

struct scenario {
	const char *name;
	void (*run)(void);
};

/* Run the one of @n scenarios that the command line names; false: it is not there. */
static int play(const struct scenario *list, unsigned int n, char **argv)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (strcmp(list[i].name, argv[3]))
			continue;
		ifname = argv[2];
		open_device(argv[1]);
		list[i].run();
		putchar('\n');
		return 1;
	}
	return 0;
}

#define PLAY(list, argv)	play(list, sizeof(list) / sizeof((list)[0]), argv)

static const struct scenario scenarios[] = {
#define S(name) { #name, s_##name }
	S(good), S(before_ok), S(version), S(features), S(page_address),
	S(page_content), S(evq_address), S(active_address), S(active_words),
	S(evq_read_only), S(no_hello),
	S(verbs), S(slots), S(calls), S(queues), S(start), S(ctl_chains),
	S(ctl_index), S(ctl_desc_outside), S(ctl_avail_outside),
	S(ctl_used_outside), S(ctl_size), S(false_resume),
	S(tx_addresses), S(tx_lengths), S(tx_chains), S(tx_endless),
	S(tx_inline), S(tx_meta), S(tx_meta_not_agreed), S(rx_buffers),
	S(rx_never), S(evq_ids), S(evq_positions), S(flood), S(scribble),
	S(unmap), S(remap), S(hello_twice), S(close_in_use), S(exit),
#undef S
};

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: see the head of hostile.c\n");
		return 2;
	}
	if (PLAY(scenarios, argv))
		return 0;
	fprintf(stderr, "hostile: no scenario %s\n", argv[3]);
	return 2;
}
