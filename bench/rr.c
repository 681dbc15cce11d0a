// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP request/response: one byte each way, one transaction at a time, every
 * latency kept.  (sockperf, the tool for this, cannot send less than 14 bytes
 * and brings a C++ runtime into the guest.)
 *
 *   rr server PORT                   serve connections, one after the other
 *   rr client ADDRESS PORT SECONDS [MARKER]
 *                                    print one line of JSON; write the ns of each
 *                                    transaction to a file, trace_marker
 *   rr rt ...                        the same as a real-time process
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES_MAX	(4u << 20)

static void die(const char *what)
{
	fprintf(stderr, "rr: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void nodelay(int fd)
{
	int one = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		die("TCP_NODELAY");
}

static void __attribute__((noreturn)) server(const char *port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	int fd = socket(AF_INET6, SOCK_STREAM, 0), one = 1;
	char byte;

	any.sin6_port = htons(atoi(port));
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 4))
		die("listen");
	for (;;) {
		int conn = accept(fd, NULL, NULL);

		if (conn < 0)
			die("accept");
		nodelay(conn);
		while (read(conn, &byte, 1) == 1)
			if (write(conn, &byte, 1) != 1)
				break;
		close(conn);
	}
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static double percentile(const uint32_t *sorted, size_t n, double p)
{
	size_t i = (size_t)(p * (n - 1) + 0.5);

	return sorted[i] / 1e3;
}

/* After the end of a transaction, and before the next one. */
static void mark(int fd, uint32_t ns)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%" PRIu32, ns);

	if (write(fd, text, length) != length)
		die("marker");
}

static int client(const char *address, const char *port, const char *seconds,
		  const char *marker)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	uint32_t *sample = malloc(SAMPLES_MAX * sizeof(*sample));
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int trace = marker ? open(marker, O_WRONLY) : -1;
	uint64_t start, end, t, last;
	char byte = 0, back;
	size_t n = 0;

	to.sin_port = htons(atoi(port));
	if (fd < 0 || !sample || inet_pton(AF_INET, address, &to.sin_addr) != 1)
		die("client");
	if (marker && trace < 0)
		die(marker);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	nodelay(fd);
	start = now_ns();
	end = start + (uint64_t)(atof(seconds) * 1e9);
	for (last = start; last < end && n < SAMPLES_MAX; last = t) {
		byte++;
		if (write(fd, &byte, 1) != 1 || read(fd, &back, 1) != 1)
			die("transaction");
		if (back != byte) {
			fprintf(stderr, "rr: wrong byte came back\n");
			return 1;
		}
		t = now_ns();
		sample[n++] = t - last > UINT32_MAX ? UINT32_MAX : t - last;
		if (marker) {
			mark(trace, sample[n - 1]);
			t = now_ns();
		}
	}
	qsort(sample, n, sizeof(*sample), compare);
	printf("{\"transactions\": %zu, \"seconds\": %.6f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f}\n",
	       n, (last - start) / 1e9, percentile(sample, n, 0.5),
	       percentile(sample, n, 0.99), percentile(sample, n, 0.999),
	       percentile(sample, n, 1));
	return 0;
}

int main(int argc, char **argv)
{
	struct sched_param lowest = { .sched_priority = 1 };

	signal(SIGPIPE, SIG_IGN);
	if (argc > 1 && !strcmp(argv[1], "rt")) {
		if (sched_setscheduler(0, SCHED_FIFO, &lowest))
			die("SCHED_FIFO");
		argc--;
		argv++;
	}
	if (argc == 3 && !strcmp(argv[1], "server"))
		server(argv[2]);
	if ((argc == 5 || argc == 6) && !strcmp(argv[1], "client"))
		return client(argv[2], argv[3], argv[4], argv[5]);
	fprintf(stderr, "usage: rr [rt] server PORT | rr [rt] client ADDRESS PORT SECONDS [MARKER]\n");
	return 2;
}
