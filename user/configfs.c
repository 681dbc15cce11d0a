// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access to /sys/kernel/config/vbus.  Paths are formatted and relative to it.
 * VBUS_CONFIGFS names another root, for tests.
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vbus.h"

static int root_fd = -1;

static int modprobe(const char *module)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid) {
		execlp("modprobe", "modprobe", "-q", module, (char *)NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -ENOENT;
}

/* Open the root, loading the core module if need be; says why it cannot. */
int cfs_open(void)
{
	const char *path = getenv("VBUS_CONFIGFS");

	if (root_fd >= 0)
		return 0;
	if (!path)
		path = "/sys/kernel/config/vbus";
	root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0 && errno == ENOENT && !modprobe("vbus"))
		root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd >= 0)
		return 0;
	fail("%s: %s (is the vbus module installed, and configfs mounted?)",
	     path, strerror(errno));
	return -ENOENT;
}

static int format(char *path, const char *fmt, va_list ap)
{
	int n = vsnprintf(path, CFS_PATH_MAX, fmt, ap);

	return n < 0 || n >= CFS_PATH_MAX ? -ENAMETOOLONG : 0;
}

#define FORMAT(path, fmt) ({						\
	va_list ap_;							\
	int err_;							\
	va_start(ap_, fmt);						\
	err_ = format(path, fmt, ap_);					\
	va_end(ap_);							\
	err_; })

int cfs_mkdir(const char *fmt, ...)
{
	char path[CFS_PATH_MAX];
	int err = FORMAT(path, fmt);

	return err ? err : mkdirat(root_fd, path, 0755) ? -errno : 0;
}

int cfs_rmdir(const char *fmt, ...)
{
	char path[CFS_PATH_MAX];
	int err = FORMAT(path, fmt);

	return err ? err : unlinkat(root_fd, path, AT_REMOVEDIR) ? -errno : 0;
}

int cfs_unlink(const char *fmt, ...)
{
	char path[CFS_PATH_MAX];
	int err = FORMAT(path, fmt);

	return err ? err : unlinkat(root_fd, path, 0) ? -errno : 0;
}

bool cfs_exists(const char *fmt, ...)
{
	char path[CFS_PATH_MAX];
	struct stat st;

	return !FORMAT(path, fmt) &&
	       !fstatat(root_fd, path, &st, AT_SYMLINK_NOFOLLOW);
}

int cfs_write(const char *value, const char *fmt, ...)
{
	char path[CFS_PATH_MAX];
	int err = FORMAT(path, fmt);
	ssize_t n;
	int fd;

	if (err)
		return err;
	fd = openat(root_fd, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, value, strlen(value));
	err = n < 0 ? -errno : 0;
	close(fd);
	return err;
}

/* Read a value without its last newline. */
int cfs_read(char *value, size_t size, const char *fmt, ...)
{
	char path[CFS_PATH_MAX];
	int err = FORMAT(path, fmt);
	ssize_t n;
	int fd;

	value[0] = '\0';
	if (err)
		return err;
	fd = openat(root_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, value, size - 1);
	err = n < 0 ? -errno : 0;
	close(fd);
	value[n > 0 ? n : 0] = '\0';
	if (n > 0 && value[n - 1] == '\n')
		value[n - 1] = '\0';
	return err;
}

/* Make a link to @target, both relative to the root. */
int cfs_link(const char *target, const char *link)
{
	char path[CFS_PATH_MAX], self[64];
	ssize_t n;
	char root[CFS_PATH_MAX / 2];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", root_fd);
	n = readlink(self, root, sizeof(root) - 1);
	if (n < 0)
		return -errno;
	root[n] = '\0';
	if (snprintf(path, sizeof(path), "%s/%s", root, target) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	return symlinkat(path, root_fd, link) ? -errno : 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/*
 * Call @fn for each directory ('d'), link ('l') or file ('f') in @dir, in
 * alphabetical order, until it returns something else than 0.
 */
int cfs_each(const char *dir, char kind,
	     int (*fn)(const char *name, void *arg), void *arg)
{
	char **names = NULL;
	struct dirent *e;
	size_t n = 0, i;
	int fd, ret = 0;
	DIR *d;

	fd = openat(root_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	d = fdopendir(fd);
	if (!d) {
		ret = -errno;
		close(fd);
		return ret;
	}
	while (!ret && (e = readdir(d))) {
		struct stat st;
		char **more;

		if (e->d_name[0] == '.' ||
		    fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		if (!(kind == 'd' ? S_ISDIR(st.st_mode) :
		      kind == 'l' ? S_ISLNK(st.st_mode) : S_ISREG(st.st_mode)))
			continue;
		more = realloc(names, (n + 1) * sizeof(*names));
		if (more)
			names = more;
		if (!more || !(names[n] = strdup(e->d_name)))
			ret = -ENOMEM;
		else
			n++;
	}
	closedir(d);
	if (n)
		qsort(names, n, sizeof(*names), compare);
	for (i = 0; i < n; i++) {
		if (!ret)
			ret = fn(names[i], arg);
		free(names[i]);
	}
	free(names);
	return ret;
}

/* A name that is one path component. */
bool name_valid(const char *name)
{
	return name[0] && name[0] != '.' && !strchr(name, '/') &&
	       strlen(name) < 32;
}

struct find {
	const char *device;
	char *found;
	size_t size;
	int n;
};

static int find_in_class(const char *class_name, void *arg)
{
	struct find *f = arg;

	if (cfs_exists("devices/%s/%s", class_name, f->device)) {
		snprintf(f->found, f->size, "%s", class_name);
		f->n++;
	}
	return 0;
}

/*
 * Split CLASS/DEVICE, or find the class of a bare DEVICE.  Returns the offset of
 * the device's name in @name, or a negative errno; says what is wrong.
 */
int cfs_find_device(const char *name, char *class_name, size_t size)
{
	const char *slash = strchr(name, '/');
	struct find f = { name, class_name, size, 0 };

	if (slash) {
		if ((size_t)(slash - name) >= size || !name_valid(slash + 1)) {
			fail("device '%s': not a valid name", name);
			return -EINVAL;
		}
		memcpy(class_name, name, slash - name);
		class_name[slash - name] = '\0';
		if (!name_valid(class_name)) {
			fail("device '%s': not a valid class name", name);
			return -EINVAL;
		}
		return slash + 1 - name;
	}
	if (!name_valid(name)) {
		fail("device '%s': not a valid name", name);
		return -EINVAL;
	}
	cfs_each("devices", 'd', find_in_class, &f);
	if (f.n == 1)
		return 0;
	fail("device '%s': %s", name, f.n ? "several classes have one; say CLASS/DEVICE" :
	     "there is none");
	return -ENOENT;
}
