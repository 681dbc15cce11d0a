// SPDX-License-Identifier: GPL-2.0-only
/*
 * One system call, and the name of the error it gives: "OK", "EBUSY", ...
 *
 * usage: try mkdir|rmdir|rm PATH; try ln TARGET PATH; try write PATH VALUE;
 *	  try hex PATH BYTES (in one write, "0a1b..."); try open PATH (for reading
 *	  and writing); try rmmod MODULE
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int write_bytes(const char *path, const void *value, size_t len)
{
	int fd = open(path, O_WRONLY), ret, saved;
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, value, len);
	saved = errno;
	ret = n < 0 ? -1 : 0;
	if (n >= 0 && n != (ssize_t)len) {
		/* an attribute takes all or nothing */
		saved = EIO;
		ret = -1;
	}
	close(fd);
	errno = saved;
	return ret;
}

static int write_hex(const char *path, const char *hex)
{
	unsigned char bytes[1024];
	size_t len = strlen(hex) / 2, i;

	if (len > sizeof(bytes)) {
		errno = E2BIG;
		return -1;
	}
	for (i = 0; i < len; i++) {
		if (sscanf(hex + 2 * i, "%2hhx", &bytes[i]) != 1) {
			errno = EILSEQ;
			return -1;
		}
	}
	return write_bytes(path, bytes, len);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	int ret;

	if (!strcmp(what, "mkdir"))
		ret = mkdir(argv[2], 0755);
	else if (!strcmp(what, "rmdir"))
		ret = rmdir(argv[2]);
	else if (!strcmp(what, "rm"))
		ret = unlink(argv[2]);
	else if (!strcmp(what, "open"))
		ret = open(argv[2], O_RDWR);
	else if (!strcmp(what, "rmmod"))
		ret = syscall(SYS_delete_module, argv[2], O_NONBLOCK);
	else if (!strcmp(what, "ln") && argc > 3)
		ret = symlink(argv[2], argv[3]);
	else if (!strcmp(what, "write") && argc > 3)
		ret = write_bytes(argv[2], argv[3], strlen(argv[3]));
	else if (!strcmp(what, "hex") && argc > 3)
		ret = write_hex(argv[2], argv[3]);
	else
		return fprintf(stderr, "usage: see the head of try.c\n"), 2;
	puts(ret < 0 ? strerrorname_np(errno) : "OK");
	return ret < 0;
}
