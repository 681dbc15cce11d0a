// SPDX-License-Identifier: GPL-2.0-only
/*
 * Traffic whose every byte is checked.
 *
 * usage: traffic serve PORT			TCP and UDP, IPv4 and IPv6, for ever
 *	  traffic put HOST PORT MB SEED		TCP: we send, the server checks
 *	  traffic get HOST PORT MB SEED		TCP: the server sends, we check
 *	  traffic udp HOST PORT COUNT MAX SEED	datagrams of 1..MAX bytes, echoed
 *	  traffic uso HOST PORT COUNT SIZE SEED	COUNT times 16 datagrams of SIZE bytes,
 *						which are for others to segment, echoed
 *
 * The flow's own end can be chosen: TRAFFIC_FROM="ADDRESS PORT" in the environment.
 *
 * The stream is a function of the seed and of the position, so that a byte that
 * is lost, doubled, changed or out of its place is found.  Datagrams carry their
 * number and such a stream; each is answered before the next is sent, so that
 * no queue can be too short and none may be lost.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK		(256u << 10)
#define UDP_MAX		65000u
#define SEGMENTS	16u	/* datagrams that are sent as one */
#define STALL_SECONDS	120	/* nothing moved for so long: give up */

struct ask {
	uint64_t bytes;
	uint64_t seed;
	uint64_t send;		/* the server sends */
};

static uint64_t buffer[CHUNK / 8];

static void die(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Word @i of the stream (splitmix64). */
static inline uint64_t word(uint64_t seed, uint64_t i)
{
	uint64_t z = (seed << 32 ^ i) * 0x9e3779b97f4a7c15ull + seed;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static int await(int fd, short what, int seconds)
{
	struct pollfd p = { .fd = fd, .events = what };

	return poll(&p, 1, seconds * 1000) == 1 ? 0 : -1;
}

/* All of it, or the connection is of no use any more. */
static int write_all(int fd, const void *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			if (await(fd, POLLOUT, STALL_SECONDS))
				return errno = ETIMEDOUT, -1;
			continue;
		}
		if (n < 0)
			return -1;
		data = (const char *)data + n;
		len -= n;
	}
	return 0;
}

static int read_all(int fd, void *data, size_t len)
{
	while (len) {
		ssize_t n = recv(fd, data, len, MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			if (await(fd, POLLIN, STALL_SECONDS))
				return errno = ETIMEDOUT, -1;
			continue;
		}
		if (n <= 0) {
			if (!n)
				errno = ECONNRESET;
			return -1;
		}
		data = (char *)data + n;
		len -= n;
	}
	return 0;
}

static int put(int fd, const struct ask *a)
{
	uint64_t done, i;

	for (done = 0; done < a->bytes; done += CHUNK) {
		for (i = 0; i < CHUNK / 8; i++)
			buffer[i] = word(a->seed, done / 8 + i);
		if (write_all(fd, buffer, CHUNK))
			return -1;
	}
	return 0;
}

/* Returns the bytes that were right: fewer than asked for if one was not. */
static uint64_t get(int fd, const struct ask *a)
{
	uint64_t done, i;

	for (done = 0; done < a->bytes; done += CHUNK) {
		if (read_all(fd, buffer, CHUNK)) {
			fprintf(stderr, "traffic: after %llu bytes: %s\n",
				(unsigned long long)done, strerror(errno));
			return done;
		}
		for (i = 0; i < CHUNK / 8; i++) {
			if (buffer[i] == word(a->seed, done / 8 + i))
				continue;
			fprintf(stderr, "traffic: wrong data at byte %llu\n",
				(unsigned long long)(done + 8 * i));
			return done + 8 * i;
		}
	}
	return done;
}

static void __attribute__((noreturn)) serve_one(int fd)
{
	uint64_t right;
	struct ask a;

	if (read_all(fd, &a, sizeof(a)))
		exit(1);
	if (a.send) {
		if (put(fd, &a))
			exit(1);
	} else {
		right = get(fd, &a);
		if (write_all(fd, &right, sizeof(right)))
			exit(1);
	}
	/* until the client has taken it all */
	recv(fd, &right, sizeof(right), 0);
	exit(0);
}

static void __attribute__((noreturn)) serve_udp(int fd)
{
	static char data[UDP_MAX];
	struct sockaddr_storage from;

	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, data, sizeof(data), 0,
				     (struct sockaddr *)&from, &len);

		if (n >= 0)
			sendto(fd, data, n, 0, (struct sockaddr *)&from, len);
	}
}

static int server_socket(int type, int port)
{
	struct sockaddr_in6 addr = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
	};
	int on = 1, off = 0, fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    (type == SOCK_STREAM && listen(fd, 16)))
		die("server");
	return fd;
}

static void __attribute__((noreturn)) serve(int port)
{
	int tcp = server_socket(SOCK_STREAM, port);
	int udp = server_socket(SOCK_DGRAM, port);
	pid_t child;

	signal(SIGCHLD, SIG_IGN);
	child = fork();
	if (!child)
		serve_udp(udp);
	for (;;) {
		int fd = accept(tcp, NULL, NULL);

		if (fd < 0)
			continue;
		child = fork();
		if (!child) {
			close(tcp);
			serve_one(fd);
		}
		close(fd);
	}
}

/* Bind to the address and port that the environment names, if it does. */
static void bind_from(int fd)
{
	const char *from = getenv("TRAFFIC_FROM");
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	struct sockaddr_in four = { .sin_family = AF_INET };
	char host[INET6_ADDRSTRLEN];
	unsigned int port;
	int on = 1, err;

	if (!from)
		return;
	if (sscanf(from, "%45s %u", host, &port) != 2)
		die("TRAFFIC_FROM");
	six.sin6_port = four.sin_port = htons(port);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (inet_pton(AF_INET, host, &four.sin_addr) == 1)
		err = bind(fd, (struct sockaddr *)&four, sizeof(four));
	else if (inet_pton(AF_INET6, host, &six.sin6_addr) == 1)
		err = bind(fd, (struct sockaddr *)&six, sizeof(six));
	else
		err = -1;
	if (err)
		die("TRAFFIC_FROM");
}

static int client_socket(int type, const char *host, int port)
{
	struct sockaddr_in6 six = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
	};
	struct sockaddr_in four = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
	};
	int fd, err;

	if (inet_pton(AF_INET6, host, &six.sin6_addr) == 1) {
		fd = socket(AF_INET6, type, 0);
		bind_from(fd);
		err = connect(fd, (struct sockaddr *)&six, sizeof(six));
	} else if (inet_pton(AF_INET, host, &four.sin_addr) == 1) {
		fd = socket(AF_INET, type, 0);
		bind_from(fd);
		err = connect(fd, (struct sockaddr *)&four, sizeof(four));
	} else {
		fprintf(stderr, "traffic: %s: not an address\n", host);
		exit(2);
	}
	if (err)
		die(host);
	return fd;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int tcp_client(int send_it, char **argv)
{
	struct ask a = {
		.bytes = strtoull(argv[2], NULL, 0) << 20,
		.seed = strtoull(argv[3], NULL, 0),
		.send = !send_it,
	};
	int fd = client_socket(SOCK_STREAM, argv[0], atoi(argv[1]));
	double begin = now();
	uint64_t right;

	if (write_all(fd, &a, sizeof(a)))
		die("send");
	if (send_it) {
		if (put(fd, &a))
			die("send");
		if (read_all(fd, &right, sizeof(right)))
			die("answer");
	} else {
		right = get(fd, &a);
	}
	printf("%llu of %llu bytes right, %.1f s, %.0f Mbit/s\n",
	       (unsigned long long)right, (unsigned long long)a.bytes,
	       now() - begin, right * 8 / 1e6 / (now() - begin));
	return right != a.bytes;
}

static int udp_client(char **argv)
{
	uint64_t count = strtoull(argv[2], NULL, 0);
	uint64_t max = strtoull(argv[3], NULL, 0);
	uint64_t seed = strtoull(argv[4], NULL, 0);
	int fd = client_socket(SOCK_DGRAM, argv[0], atoi(argv[1]));
	static uint64_t out[UDP_MAX / 8 + 2], in[UDP_MAX / 8 + 2];
	uint64_t n, i, len, lost = 0;

	if (max < 1 || max > UDP_MAX)
		return 2;
	for (n = 0; n < count; n++) {
		ssize_t got;

		len = n < 2 ? (n ? max : 1) : 1 + word(seed, n) % max;
		out[0] = n;
		for (i = 1; i < len / 8 + 1; i++)
			out[i] = word(seed + n, i);
		if (send(fd, out, len, 0) != (ssize_t)len)
			die("send");
		do {
			if (await(fd, POLLIN, 20)) {
				printf("datagram %llu of %llu bytes is lost\n",
				       (unsigned long long)n,
				       (unsigned long long)len);
				if (++lost == 3)
					return 1;
				break;
			}
			got = recv(fd, in, sizeof(in), 0);
			if (got < 0)
				die("receive");
			if ((uint64_t)got != len || memcmp(in, out, len)) {
				printf("datagram %llu: %lld bytes of %llu came back, or others\n",
				       (unsigned long long)n, (long long)got,
				       (unsigned long long)len);
				return 1;
			}
		} while (0);
	}
	printf("%llu datagrams, %llu lost\n", (unsigned long long)count,
	       (unsigned long long)lost);
	return lost != 0;
}

static int uso_client(char **argv)
{
	uint64_t count = strtoull(argv[2], NULL, 0);
	int size = atoi(argv[3]);
	uint64_t seed = strtoull(argv[4], NULL, 0);
	int fd = client_socket(SOCK_DGRAM, argv[0], atoi(argv[1]));
	static unsigned char out[UDP_MAX + 8], in[UDP_MAX];
	uint64_t n, i;

	if (size < 1 || size * SEGMENTS > UDP_MAX)
		return 2;
	if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)))
		die("UDP_SEGMENT");
	for (n = 0; n < count; n++) {
		for (i = 0; i < size * SEGMENTS; i += sizeof(uint64_t)) {
			uint64_t w = word(seed + n, i);

			memcpy(out + i, &w, sizeof(w));
		}
		if (send(fd, out, size * SEGMENTS, 0) != (ssize_t)(size * SEGMENTS))
			die("send");
		for (i = 0; i < SEGMENTS; i++) {
			if (await(fd, POLLIN, 20) ||
			    recv(fd, in, sizeof(in), 0) != size ||
			    memcmp(in, out + i * size, size)) {
				printf("datagram %llu of burst %llu is lost or wrong\n",
				       (unsigned long long)i, (unsigned long long)n);
				return 1;
			}
		}
	}
	printf("%llu bursts of %u datagrams\n", (unsigned long long)count,
	       SEGMENTS);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "serve"))
		serve(atoi(argv[2]));
	if (argc == 6 && !strcmp(argv[1], "put"))
		return tcp_client(1, argv + 2);
	if (argc == 6 && !strcmp(argv[1], "get"))
		return tcp_client(0, argv + 2);
	if (argc == 7 && !strcmp(argv[1], "udp"))
		return udp_client(argv + 2);
	if (argc == 7 && !strcmp(argv[1], "uso"))
		return uso_client(argv + 2);
	fprintf(stderr, "usage: see the head of traffic.c\n");
	return 2;
}
