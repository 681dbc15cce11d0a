// SPDX-License-Identifier: GPL-2.0-only
/*
 * Load modules for devices as they appear: what udev does with MODALIAS, for
 * machines that have no udev.
 *
 * usage: uevent
 *
 * Handles the devices that exist already ("coldplug"), then goes into the
 * background and handles the ones that the kernel announces.  Names of virtio
 * ports are made in /dev/virtio-ports on the way.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORTS "/dev/virtio-ports"

static void load(char **aliases, size_t n)
{
	char **argv = calloc(n + 4, sizeof(*argv));
	pid_t pid;

	if (!argv)
		err(1, "out of memory");
	argv[0] = "modprobe";
	argv[1] = "-qba";
	argv[2] = "--";
	memcpy(argv + 3, aliases, n * sizeof(*argv));
	pid = fork();
	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	free(argv);
}

/* $port/name of a virtio port becomes a link to its node. */
static void name_port(const char *sysfs)
{
	const char *node = strrchr(sysfs, '/') + 1;
	char path[512], name[128], link[512];
	ssize_t n;
	int fd;

	if (strncmp(node, "vport", 5))
		return;
	snprintf(path, sizeof(path), "%s/name", sysfs);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, name, sizeof(name) - 1);
	close(fd);
	if (n <= 1)
		return;
	name[n - 1] = '\0';
	mkdir(PORTS, 0755);
	snprintf(path, sizeof(path), "../%s", node);
	snprintf(link, sizeof(link), PORTS "/%s", name);
	unlink(link);
	if (symlink(path, link))
		warn("%s", link);
}

static struct {
	char *names[1024];
	size_t n;
} cold;

static int cold_visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char alias[4096];
	ssize_t n;
	size_t i;
	int fd;

	(void)st;
	if (type == FTW_D) {
		name_port(path);
		return 0;
	}
	if (type != FTW_F || strcmp(path + ftw->base, "modalias"))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, alias, sizeof(alias) - 1);
	close(fd);
	if (n <= 1)
		return 0;
	alias[n] = '\0';
	alias[strcspn(alias, "\n")] = '\0';

	for (i = 0; i < cold.n; i++) {
		if (!strcmp(cold.names[i], alias))
			return 0;
	}
	if (cold.n == sizeof(cold.names) / sizeof(cold.names[0]))
		return 0;
	cold.names[cold.n] = strdup(alias);
	if (cold.names[cold.n])
		cold.n++;
	return 0;
}

static void coldplug(void)
{
	nftw("/sys/devices", cold_visit, 16, FTW_PHYS);
	if (cold.n)
		load(cold.names, cold.n);
	while (cold.n)
		free(cold.names[--cold.n]);
}

/* One message: "add@/devices/...\0ACTION=add\0DEVPATH=...\0...". */
static void handle(char *message, size_t len)
{
	const char *devpath = NULL;
	char *alias = NULL, *p, sysfs[1024];
	bool add = false, change = false;

	for (p = message; p < message + len; p += strlen(p) + 1) {
		if (!strcmp(p, "ACTION=add"))
			add = true;
		else if (!strcmp(p, "ACTION=change"))
			change = true;
		else if (!strncmp(p, "DEVPATH=", 8))
			devpath = p + 8;
		else if (!strncmp(p, "MODALIAS=", 9))
			alias = p + 9;
	}
	if (!devpath || !(add || change))
		return;
	/* A port gets its name, and says so, after it was added. */
	snprintf(sysfs, sizeof(sysfs), "/sys%s", devpath);
	name_port(sysfs);
	if (add && alias)
		load(&alias, 1);
}

int main(void)
{
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	static char message[16384];
	int size = 4 << 20;
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

	/* Listen first, then look around: nothing is lost in between. */
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)))
		err(1, "uevent socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	coldplug();
	if (daemon(0, 1))
		err(1, "daemon");

	for (;;) {
		ssize_t n = recv(fd, message, sizeof(message) - 1, 0);

		if (n < 0 && errno == ENOBUFS)
			coldplug();
		if (n <= 0)
			continue;
		message[n] = '\0';
		handle(message, n);
	}
}
