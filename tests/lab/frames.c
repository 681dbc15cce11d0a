// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ethernet frames whose every byte is checked, also if XDP changed them.
 *
 * usage: frames send IFNAME COUNT LEN [WORD...]	as fast as it goes
 *	  frames probe IFNAME FROM NETNS COUNT LEN [WORD...]
 *
 * The latter sends COUNT frames and waits until all of them are back at
 * interface FROM of a network namespace ("-": of this one), changed as the WORDs
 * say, see frames.h.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>
#include "frames.h"

#define BATCH		64		/* frames of a system call */
/*
 * Frames on their way.  A frame that XDP sends back is dropped if the ring has no
 * room for the longest chain (19 descriptors): fewer than the 45 which the shortest
 * ring, of 64, always takes.
 */
#define WINDOW		32
#define PATIENCE_MS	20000

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "frames: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void __attribute__((noreturn)) usage(void)
{
	fprintf(stderr, "usage: see the head of frames.c\n");
	exit(2);
}

static int ifindex(const char *name)
{
	int i = if_nametoindex(name);

	if (!i)
		die(name);
	return i;
}

static int packet_socket(const char *ifname, int protocol)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = ifindex(ifname),
	};
	int size = 16 << 20;
	int s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    bind(s, (struct sockaddr *)&addr, sizeof(addr)))
		die(ifname);
	return s;
}

static int packet_socket_in(const char *netns, const char *ifname, int protocol)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there, s;
	char path[256];

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (here < 0 || there < 0 || setns(there, CLONE_NEWNET))
		die(path);
	s = packet_socket(ifname, protocol);
	if (setns(here, CLONE_NEWNET))
		die("setns");
	close(there);
	close(here);
	return s;
}

/* Frame number @seq. */
static void make(uint8_t *f, uint32_t seq, int len, const struct words *w)
{
	static const uint8_t from[6] = { 2, 0, 0, 0, 0, 2 };
	uint32_t x = seq * 2654435761u + len;
	int i;

	memcpy(f, w->mac, 6);
	memcpy(f + 6, from, 6);
	f[12] = ETHERTYPE >> 8;
	f[13] = ETHERTYPE & 0xff;
	for (i = ETH_HLEN; i < len; i++) {
		x = x * 1664525u + 1013904223u;
		f[i] = x >> 24;
	}
	memcpy(f + SEQ, &seq, 4);
}

/* What becomes of it.  Returns its new length. */
static int change(uint8_t *f, int len, const struct words *w)
{
	uint32_t fill = FILL;
	uint8_t addr[6];
	int i;

	if (w->swap) {
		memcpy(addr, f, 6);
		memcpy(f, f + 6, 6);
		memcpy(f + 6, addr, 6);
	}
	if (w->head < 0) {
		memmove(f + ETH_HLEN, f + ETH_HLEN + HEAD, len - ETH_HLEN - HEAD);
	} else if (w->head) {
		memmove(f + ETH_HLEN + HEAD, f + ETH_HLEN, len - ETH_HLEN);
		for (i = 0; i < HEAD; i += 4)
			memcpy(f + ETH_HLEN + i, &fill, 4);
	}
	len += w->head;
	if (w->tail > 0)
		memset(f + len, 0, w->tail);
	return len + w->tail;
}

/* A frame that finds no room is sent again until it does. */
static void send_all(int s, struct mmsghdr *m, unsigned int n)
{
	unsigned int i;
	int done;

	for (i = 0; i < n; i += done) {
		done = sendmmsg(s, m + i, n - i, 0);
		if (done >= 0)
			continue;
		if (errno != ENOBUFS && errno != EINTR)
			die("send");
		done = 0;
	}
}

/* Frames from number @seq on, many with each system call, which is most of the work. */
static void send_frames(int s, uint32_t seq, uint32_t count, int len,
			const struct words *w)
{
	static uint8_t f[BATCH][FRAME_MAX];
	static struct mmsghdr m[BATCH];
	struct iovec v[BATCH];
	uint32_t i, n;

	for (; count; count -= n) {
		n = count < BATCH ? count : BATCH;
		for (i = 0; i < n; i++) {
			make(f[i], seq++, len, w);
			v[i] = (struct iovec){ .iov_base = f[i], .iov_len = len };
			m[i].msg_hdr.msg_iov = &v[i];
			m[i].msg_hdr.msg_iovlen = 1;
		}
		send_all(s, m, n);
	}
}

/* Returns the frame's number; ends the program if it is a wrong one. */
static uint32_t receive_frame(int s, uint32_t count, int len,
			      const struct words *w)
{
	static uint8_t got[FRAME_MAX], want[FRAME_MAX + 2 * FRAME_MIN];
	ssize_t n = recv(s, got, sizeof(got), 0);
	uint32_t seq;
	int wanted;

	if (n < 0)
		die("receive");
	if (n < FRAME_MIN - HEAD) {
		printf("a frame of %zd bytes\n", n);
		exit(1);
	}
	memcpy(&seq, got + SEQ + w->head, 4);
	make(want, seq, len, w);
	wanted = change(want, len, w);
	if (seq >= count || n != wanted || memcmp(got, want, n)) {
		printf("frame %u: %zd bytes for %d, or wrong ones\n", seq, n,
		       wanted);
		exit(1);
	}
	return seq;
}

static int probe(int out, int in, uint32_t count, int len,
		 const struct words *w)
{
	uint8_t *seen = calloc(count, 1);
	uint32_t sent = 0, back = 0, seq;
	struct pollfd p = { .fd = in, .events = POLLIN };

	if (!seen)
		die("memory");
	while (back < count) {
		if (sent < count && sent - back < WINDOW) {
			send_frames(out, sent++, 1, len, w);
			if (poll(&p, 1, 0) != 1)
				continue;
		} else if (poll(&p, 1, PATIENCE_MS) != 1) {
			break;
		}
		seq = receive_frame(in, count, len, w);
		if (seen[seq]++) {
			printf("frame %u came twice\n", seq);
			return 1;
		}
		back++;
	}
	printf("%u of %u frames right\n", back, count);
	return back != count;
}

int main(int argc, char **argv)
{
	const char *what = argc > 4 ? argv[1] : "";
	int out, in, len;
	struct words w;

	if (!strcmp(what, "send") && !parse_words(argv + 5, &w)) {
		len = atoi(argv[4]);
		if (len < FRAME_MIN || len > FRAME_MAX)
			usage();
		out = packet_socket(argv[2], 0);
		send_frames(out, 0, atoi(argv[3]), len, &w);
		return 0;
	}
	if (strcmp(what, "probe") || argc < 7 || parse_words(argv + 7, &w))
		usage();
	len = atoi(argv[6]);
	if (len < FRAME_MIN || len > FRAME_MAX - FRAME_MIN)
		usage();
	out = packet_socket(argv[2], 0);
	in = strcmp(argv[4], "-") ?
	     packet_socket_in(argv[4], argv[3], ETHERTYPE) :
	     packet_socket(argv[3], ETHERTYPE);
	return probe(out, in, atoi(argv[5]), len, &w);
}
