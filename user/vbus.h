/* SPDX-License-Identifier: GPL-2.0-only */
/* The vbus command: shared between its files. */
#ifndef VBUS_CMD_H
#define VBUS_CMD_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct vbus_cmd - a (sub)command
 * @name:	word on the command line
 * @run:	does it; gets the arguments after the word, returns the exit status
 * @usage:	arguments
 * @help:	one line
 */
struct vbus_cmd {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage;
	const char *help;
};

/* Exit statuses */
enum {
	VBUS_EXIT_OK = 0,
	VBUS_EXIT_FAIL = 1,	/* the kernel, or a program, refused */
	VBUS_EXIT_USAGE = 2,	/* the command line is wrong */
};

/* main.c */
int vbus_dispatch(const struct vbus_cmd *cmds, const char *what, int argc,
		  char **argv);
int fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int usage(const struct vbus_cmd *cmd);

/* configfs.c: all return 0 or a negative errno */
#define CFS_PATH_MAX	512
#define CFS_VALUE_MAX	4096

int cfs_open(void);
int cfs_mkdir(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int cfs_rmdir(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int cfs_write(const char *value, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int cfs_read(char *value, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int cfs_link(const char *target, const char *link);
int cfs_unlink(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool cfs_exists(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int cfs_each(const char *dir, char kind,
	     int (*fn)(const char *name, void *arg), void *arg);
int cfs_find_device(const char *name, char *class_name, size_t size);
bool name_valid(const char *name);

/* Commands */
int cmd_bus(int argc, char **argv);
int cmd_dev(int argc, char **argv);
int cmd_plug(int argc, char **argv);
int cmd_unplug(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_run(int argc, char **argv);

#endif /* VBUS_CMD_H */
