// SPDX-License-Identifier: GPL-2.0-only
/* vbus bus, dev, plug, unplug: what changes something. */

#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vbus.h"

static int bus_fail(const char *bus, const char *what, int err)
{
	const char *why = strerror(-err);

	if (err == -ENOENT)
		why = "there is no such bus";
	else if (err == -EEXIST)
		why = "there is one of that name";
	return fail("bus %s: cannot %s: %s", bus, what, why);
}

static int bus_arg(int argc, char **argv, const char *verb, int more)
{
	if (argc < 1 || argc > 1 + more) {
		fprintf(stderr, "usage: vbus bus %s BUS%s\n", verb,
			more ? " [--lanes N]" : "");
		return VBUS_EXIT_USAGE;
	}
	if (!name_valid(argv[0])) {
		fail("bus '%s': not a valid name", argv[0]);
		return VBUS_EXIT_USAGE;
	}
	return cfs_open() ? VBUS_EXIT_FAIL : VBUS_EXIT_OK;
}

static int bus_add(int argc, char **argv)
{
	int err, ret = bus_arg(argc, argv, "add", 2);

	if (ret)
		return ret;
	if (argc > 1 && (argc != 3 || strcmp(argv[1], "--lanes"))) {
		fprintf(stderr, "usage: vbus bus add BUS [--lanes N]\n");
		return VBUS_EXIT_USAGE;
	}
	err = cfs_mkdir("buses/%s", argv[0]);
	if (err)
		return bus_fail(argv[0], "add it", err);
	if (argc == 3) {
		err = cfs_write(argv[2], "buses/%s/lanes", argv[0]);
		if (err) {
			cfs_rmdir("buses/%s", argv[0]);
			return fail("bus %s: lanes=%s: %s", argv[0], argv[2],
				    strerror(-err));
		}
	}
	return VBUS_EXIT_OK;
}

static int bus_del(int argc, char **argv)
{
	int err, ret = bus_arg(argc, argv, "del", 0);

	if (ret)
		return ret;
	err = cfs_rmdir("buses/%s", argv[0]);
	if (err == -EBUSY)
		return fail("bus %s: cannot remove it: it is enabled", argv[0]);
	if (err == -ENOTEMPTY)
		return fail("bus %s: cannot remove it: devices are plugged in",
			    argv[0]);
	return err ? bus_fail(argv[0], "remove it", err) : VBUS_EXIT_OK;
}

/* What an errno means here; the last one has error 0. */
struct reason {
	int err;
	const char *text;
};

static int bus_switch(int argc, char **argv, const char *verb,
		      const char *value, const struct reason *reasons)
{
	int err, ret = bus_arg(argc, argv, verb, 0);
	char what[32];

	if (ret)
		return ret;
	err = cfs_write(value, "buses/%s/enable", argv[0]);
	if (!err)
		return VBUS_EXIT_OK;
	for (; reasons->err; reasons++)
		if (reasons->err == -err)
			return fail("bus %s: cannot %s it: %s", argv[0], verb,
				    reasons->text);
	snprintf(what, sizeof(what), "%s it", verb);
	return bus_fail(argv[0], what, err);
}

static int bus_enable(int argc, char **argv)
{
	static const struct reason reasons[] = {
		{ EBUSY, "it is enabled already" },
		{ EAGAIN, "a program keeps the device of a disabled bus open" },
		{ EINVAL, "it has no lanes" },
		{ ENODEV, "module vbus_vdpa is not installed" },
		{ 0, NULL },
	};

	return bus_switch(argc, argv, "enable", "1", reasons);
}

static int bus_disable(int argc, char **argv)
{
	static const struct reason reasons[] = {
		{ EBUSY, "a guest is attached" },
		{ EAGAIN, "a program keeps the device of another bus open, which is disabled" },
		{ 0, NULL },
	};

	return bus_switch(argc, argv, "disable", "0", reasons);
}

int cmd_bus(int argc, char **argv)
{
	static const struct vbus_cmd cmds[] = {
		{ "add", bus_add, "BUS [--lanes N]", "make a bus" },
		{ "del", bus_del, "BUS", "remove a bus" },
		{ "enable", bus_enable, "BUS", "offer it to guests" },
		{ "disable", bus_disable, "BUS", "withdraw it" },
		{ NULL, NULL, NULL, NULL },
	};

	return vbus_dispatch(cmds, "bus ", argc, argv);
}

static int dev_set(const char *class_name, const char *dev, char *assignment)
{
	char *value = strchr(assignment, '=');
	int err;

	if (!value || value == assignment) {
		fail("device %s/%s: '%s' is not ATTR=VALUE", class_name, dev,
		     assignment);
		return VBUS_EXIT_USAGE;
	}
	*value++ = '\0';
	if (!name_valid(assignment)) {
		fail("device %s/%s: '%s' is not an attribute", class_name, dev,
		     assignment);
		return VBUS_EXIT_USAGE;
	}
	err = cfs_write(value, "devices/%s/%s/%s", class_name, dev, assignment);
	if (err == -ENOENT || err == -EACCES)
		return fail("device %s/%s: there is no attribute '%s' to set",
			    class_name, dev, assignment);
	if (err)
		return fail("device %s/%s: %s=%s: %s", class_name, dev,
			    assignment, value, strerror(-err));
	return VBUS_EXIT_OK;
}

static int dev_add(int argc, char **argv)
{
	char class_name[64];
	const char *dev;
	int i, off, err, ret = VBUS_EXIT_OK;

	if (argc < 1 || !strchr(argv[0], '/')) {
		fprintf(stderr, "usage: vbus dev add CLASS/DEVICE [ATTR=VALUE...]\n");
		return VBUS_EXIT_USAGE;
	}
	off = cfs_find_device(argv[0], class_name, sizeof(class_name));
	if (off < 0)
		return VBUS_EXIT_USAGE;
	if (cfs_open())
		return VBUS_EXIT_FAIL;
	dev = argv[0] + off;
	err = cfs_mkdir("devices/%s", class_name);
	if (err == -ENODEV)
		return fail("device %s: there is no device class '%s'", argv[0],
			    class_name);
	if (err && err != -EEXIST)
		return fail("device class %s: %s", class_name, strerror(-err));
	err = cfs_mkdir("devices/%s/%s", class_name, dev);
	if (err == -EEXIST)
		return fail("device %s: there is one of that name", argv[0]);
	if (err)
		return fail("device %s: cannot add it: %s", argv[0],
			    strerror(-err));
	for (i = 1; i < argc && ret == VBUS_EXIT_OK; i++)
		ret = dev_set(class_name, dev, argv[i]);
	if (ret == VBUS_EXIT_OK) {
		err = cfs_write("1", "devices/%s/%s/enable", class_name, dev);
		if (err == -EEXIST)
			ret = fail("device %s: cannot enable it: the interface name is taken",
				   argv[0]);
		else if (err)
			ret = fail("device %s: cannot enable it: %s", argv[0],
				   strerror(-err));
	}
	if (ret != VBUS_EXIT_OK) {
		cfs_rmdir("devices/%s/%s", class_name, dev);
		cfs_rmdir("devices/%s", class_name);
	}
	return ret;
}

/*
 * The device that an argument names, and its class; NULL if it names none,
 * which was said.
 */
static const char *device_arg(const char *arg, char *class_name, size_t size)
{
	int off;

	if (cfs_open())
		return NULL;
	off = cfs_find_device(arg, class_name, size);
	return off < 0 ? NULL : arg + off;
}

static int dev_del(int argc, char **argv)
{
	char class_name[64], bus[64];
	const char *dev;
	int err;

	if (argc != 1) {
		fprintf(stderr, "usage: vbus dev del [CLASS/]DEVICE\n");
		return VBUS_EXIT_USAGE;
	}
	dev = device_arg(argv[0], class_name, sizeof(class_name));
	if (!dev)
		return VBUS_EXIT_FAIL;
	if (!cfs_exists("devices/%s/%s", class_name, dev))
		return fail("device %s: there is none", argv[0]);
	cfs_read(bus, sizeof(bus), "devices/%s/%s/bus", class_name, dev);
	if (bus[0])
		return fail("device %s: cannot remove it: it is plugged into bus %s",
			    argv[0], bus);
	err = cfs_write("0", "devices/%s/%s/enable", class_name, dev);
	if (!err)
		err = cfs_rmdir("devices/%s/%s", class_name, dev);
	if (err)
		return fail("device %s: cannot remove it: %s", argv[0],
			    strerror(-err));
	/* the last one of a class lets go of its module */
	cfs_rmdir("devices/%s", class_name);
	return VBUS_EXIT_OK;
}

int cmd_dev(int argc, char **argv)
{
	static const struct vbus_cmd cmds[] = {
		{ "add", dev_add, "CLASS/DEVICE [ATTR=VALUE...]",
		  "make a device and enable it" },
		{ "del", dev_del, "[CLASS/]DEVICE", "remove a device" },
		{ NULL, NULL, NULL, NULL },
	};

	return vbus_dispatch(cmds, "dev ", argc, argv);
}

int cmd_plug(int argc, char **argv)
{
	char class_name[64], target[CFS_PATH_MAX], link[CFS_PATH_MAX];
	const char *dev;
	int err;

	if (argc != 2 || !name_valid(argv[1])) {
		fprintf(stderr, "usage: vbus plug [CLASS/]DEVICE BUS\n");
		return VBUS_EXIT_USAGE;
	}
	dev = device_arg(argv[0], class_name, sizeof(class_name));
	if (!dev)
		return VBUS_EXIT_FAIL;
	if (!cfs_exists("devices/%s/%s", class_name, dev))
		return fail("device %s: there is none", argv[0]);
	if (!cfs_exists("buses/%s", argv[1]))
		return fail("bus %s: there is none", argv[1]);
	snprintf(target, sizeof(target), "devices/%s/%s", class_name, dev);
	snprintf(link, sizeof(link), "buses/%s/%s", argv[1], dev);
	err = cfs_link(target, link);
	if (err == -EBUSY || err == -EEXIST)
		return fail("device %s: it is plugged in already", argv[0]);
	if (err == -ENOSPC)
		return fail("bus %s: all slots are taken", argv[1]);
	if (err)
		return fail("device %s: cannot plug it into bus %s: %s",
			    argv[0], argv[1], strerror(-err));
	return VBUS_EXIT_OK;
}

int cmd_unplug(int argc, char **argv)
{
	char class_name[64], bus[64];
	const char *dev;
	int err;

	if (argc != 1) {
		fprintf(stderr, "usage: vbus unplug [CLASS/]DEVICE\n");
		return VBUS_EXIT_USAGE;
	}
	dev = device_arg(argv[0], class_name, sizeof(class_name));
	if (!dev)
		return VBUS_EXIT_FAIL;
	err = cfs_read(bus, sizeof(bus), "devices/%s/%s/bus", class_name, dev);
	if (err || !bus[0])
		return fail("device %s: it is not plugged in", argv[0]);
	err = cfs_unlink("buses/%s/%s", bus, dev);
	if (err)
		return fail("device %s: cannot unplug it from bus %s: %s",
			    argv[0], bus, strerror(-err));
	return VBUS_EXIT_OK;
}
