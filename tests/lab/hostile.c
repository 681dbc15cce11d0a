// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest side that does not behave: drives /dev/vhost-vdpa-N by hand.
 *
 * usage: hostile DEVICE IFNAME SCENARIO
 *
 * Each run opens the device, does one scenario and prints what came of it in
 * one line: statuses of the host's answers ("EINVAL EBUSY"), "error" and "done"
 * for transmit completions, "silence" where no answer is right.  The scripts that
 * call it know what is expected.  IFNAME is the host's end of the venet in slot 0.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "hostile.h"

int fd = -1, kick[2], call[2], packet = -1;
uint8_t *mem;
uint16_t ctl_avail;
unsigned int evq_pos, tx_pos, tx_done, rx_pos, rx_done;
const char *ifname;
uint64_t active;	/* of the bus page */

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("cannot ");
	vprintf(fmt, ap);
	printf(": %s\n", strerror(errno));
	va_end(ap);
	exit(2);
}

void *at(unsigned int off)
{
	return mem + off;
}

long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void wait_ms(int ms)
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

int iotlb(uint64_t iova, uint64_t size, void *va, int perm, int type)
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

void map_all(void)
{
	if (iotlb(IOVA, MEM_SIZE, mem, VHOST_ACCESS_RW, VHOST_IOTLB_UPDATE))
		die("map memory");
}

/* A vring at any address, of any size. */
void vring_at(unsigned int q, unsigned int num, uint64_t desc,
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

void vring(unsigned int q)
{
	uint64_t v = IOVA + VRING(q);

	vring_at(q, NUM, v, v + AVAIL, v + USED, 0);
}

void driver_ok(void)
{
	set_status(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
		   VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
}

void start_device(void)
{
	map_all();
	vring(0);
	vring(1);
	driver_ok();
}

void ring(unsigned int q)
{
	uint64_t one = 1;

	if (write(kick[q], &one, sizeof(one)) != sizeof(one) && errno != EAGAIN)
		die("ring");
}

/* -------------------------------------------------------- control channel */

void ctl_desc(unsigned int i, uint64_t addr, uint32_t len,
	      uint16_t flags, uint16_t next)
{
	struct vring_desc *d = at(VRING(0));

	d[i].addr = addr;
	d[i].len = len;
	d[i].flags = flags;
	d[i].next = next;
}

volatile uint16_t *ctl_used_idx(void)
{
	struct vring_used *used = at(VRING(0) + USED);

	return &used->idx;
}

/* Make the chain at @head available; the host's answer's length, -1: none. */
int ctl_submit(uint16_t head, int patience)
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
const char *request_len(const void *req, uint32_t len, int patience)
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

void say(const char *what)
{
	static int n;

	printf("%s%s", n++ ? " " : "", what);
	fflush(stdout);
}

/* Whatever happened, the host must still answer this. */
void say_alive(void)
{
	struct vbus_req req = { .verb = VBUS_VERB_LIST };

	say(request(req));
}

void bus_page(void)
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

const char *hello_at(uint64_t addr)
{
	struct vbus_hello_req req = {
		.req.verb = VBUS_VERB_HELLO,
		.version = VBUS_ABI_VERSION,
		.bus_page = addr,
	};

	return request(req);
}

const char *hello(void)
{
	return hello_at(IOVA + PAGE);
}

void must(const char *got, const char *what)
{
	if (strcmp(got, "OK")) {
		printf("%s: %s\n", what, got);
		exit(2);
	}
}

void attach(void)
{
	start_device();
	bus_page();
	must(hello(), "hello");
}

const char *verb(uint16_t v, uint16_t slot)
{
	struct vbus_req req = { .verb = v, .slot = slot };

	return request(req);
}

const char *call_len(uint32_t func, const void *data, uint32_t len,
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

const char *start_with(uint64_t features, uint32_t pairs)
{
	struct venet_start s = { .features = features, .pairs = pairs };

	return call_len(VENET_CALL_START, &s, sizeof(s), sizeof(s));
}

struct vbus_shm_req shm_req(uint16_t shm, uint16_t signal, uint64_t addr)
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

const char *shm(struct vbus_shm_req req)
{
	return request(req);
}

static const struct scenario *find(const char *name)
{
	static const struct scenario *const lists[] = {
		session_scenarios, memory_scenarios, queue_scenarios,
		zerocopy_scenarios, tunnel_scenarios,
	};
	const struct scenario *s;
	unsigned int i;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (s = lists[i]; s->name; s++)
			if (!strcmp(s->name, name))
				return s;
	return NULL;
}

int main(int argc, char **argv)
{
	const struct scenario *s;

	if (argc != 4) {
		fprintf(stderr, "usage: see the head of hostile.c\n");
		return 2;
	}
	s = find(argv[3]);
	if (!s) {
		fprintf(stderr, "hostile: no scenario %s\n", argv[3]);
		return 2;
	}
	ifname = argv[2];
	open_device(argv[1]);
	s->run();
	putchar('\n');
	return 0;
}
