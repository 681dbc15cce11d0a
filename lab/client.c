// SPDX-License-Identifier: GPL-2.0-only
/*
 * Run a command in a guest through its agent: the work behind lab/l2.
 *
 * usage: client SOCKET SECONDS CMD [ARG...]
 *
 * Exit status: the command's; 124 after SECONDS; 125 if the guest went away or
 * its agent does not answer.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"

#define EXIT_TIMEOUT 124
#define EXIT_GONE 125

static int sock;
static struct timespec deadline;

static int left_ms(void)
{
	struct timespec now;
	long long ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (deadline.tv_sec - now.tv_sec) * 1000LL +
	     (deadline.tv_nsec - now.tv_nsec) / 1000000;
	return ms > 0 ? ms : 0;
}

static void timed_out(uint64_t id)
{
	const struct lab_header header = { .magic = LAB_MAGIC, .type = LAB_KILL, .id = id };

	if (id)
		(void)!send(sock, &header, sizeof(header), MSG_NOSIGNAL | MSG_DONTWAIT);
	errx(EXIT_TIMEOUT, "timeout");
}

static void receive(uint64_t id, void *data, size_t len)
{
	char *p = data;

	while (len) {
		struct pollfd fd = { .fd = sock, .events = POLLIN };
		ssize_t n;

		n = poll(&fd, 1, left_ms());
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			timed_out(id);
		n = recv(sock, p, len, 0);
		if (n <= 0)
			errx(EXIT_GONE, "the guest is gone");
		p += n;
		len -= n;
	}
}

static void send_all(const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = send(sock, p, len, MSG_NOSIGNAL);

		if (n <= 0)
			errx(EXIT_GONE, "the guest is gone");
		p += n;
		len -= n;
	}
}

/* One client at a time: QEMU serves one connection, the agent one command. */
static void lock(const char *path)
{
	char *name;
	int fd;

	if (asprintf(&name, "%s.lock", path) < 0)
		err(EXIT_GONE, "out of memory");
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		err(EXIT_GONE, "%s", name);
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (!left_ms())
			errx(EXIT_TIMEOUT, "timeout: the guest is busy with another command");
		poll(NULL, 0, 10);
	}
	free(name);
}

static void open_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		errx(EXIT_GONE, "%s: name too long", path);
	strcpy(address.sun_path, path);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || connect(sock, (const struct sockaddr *)&address, sizeof(address)))
		err(EXIT_GONE, "%s", path);
}

static void send_run(uint64_t id, int argc, char **argv)
{
	struct lab_header header = { .magic = LAB_MAGIC, .type = LAB_RUN, .id = id };
	size_t len = 0;
	char *frame;
	int i;

	for (i = 0; i < argc; i++)
		len += strlen(argv[i]) + 1;
	if (len > LAB_RUN_MAX)
		errx(EXIT_GONE, "the command is too long");
	header.len = len;

	frame = malloc(sizeof(header) + len);
	if (!frame)
		err(EXIT_GONE, "out of memory");
	memcpy(frame, &header, sizeof(header));
	len = sizeof(header);
	for (i = 0; i < argc; i++) {
		strcpy(frame + len, argv[i]);
		len += strlen(argv[i]) + 1;
	}
	send_all(frame, len);
	free(frame);
}

/* Skips what an earlier client left, until the agent accepts our command. */
static void wait_started(uint64_t id)
{
	const struct lab_header wanted = { .magic = LAB_MAGIC, .type = LAB_STARTED, .id = id };
	struct lab_header window;

	receive(id, &window, sizeof(window));
	while (memcmp(&window, &wanted, sizeof(window))) {
		memmove(&window, (char *)&window + 1, sizeof(window) - 1);
		receive(id, (char *)&window + sizeof(window) - 1, 1);
	}
}

static void write_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			err(EXIT_GONE, "cannot write the output");
		p += n;
		len -= n;
	}
}

static int relay(uint64_t id)
{
	static char payload[LAB_OUTPUT_MAX];
	struct lab_header header;
	uint32_t status;

	for (;;) {
		receive(id, &header, sizeof(header));
		if (header.magic != LAB_MAGIC || header.id != id || header.len > sizeof(payload))
			errx(EXIT_GONE, "the agent talks nonsense");
		receive(id, payload, header.len);
		switch (header.type) {
		case LAB_STDOUT:
			write_all(STDOUT_FILENO, payload, header.len);
			break;
		case LAB_STDERR:
			write_all(STDERR_FILENO, payload, header.len);
			break;
		case LAB_EXIT:
			memcpy(&status, payload, sizeof(status));
			return status;
		}
	}
}

int main(int argc, char **argv)
{
	uint64_t id = 0;

	if (argc < 4)
		errx(EXIT_GONE, "usage: client SOCKET SECONDS CMD [ARG...]");
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += atoi(argv[2]);
	while (!id) {
		if (getrandom(&id, sizeof(id), 0) != sizeof(id))
			err(EXIT_GONE, "getrandom");
	}

	lock(argv[1]);
	open_socket(argv[1]);
	send_run(id, argc - 3, argv + 3);
	wait_started(id);
	return relay(id);
}
