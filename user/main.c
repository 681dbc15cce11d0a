// SPDX-License-Identifier: GPL-2.0-only
/* The vbus command: administers buses and devices through configfs. */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vbus.h"

static const struct vbus_cmd commands[] = {
	{ "bus", cmd_bus, "add|del|enable|disable BUS", "make, remove, offer, withdraw a bus" },
	{ "dev", cmd_dev, "add|del [CLASS/]DEVICE [ATTR=VALUE...]", "make or remove a device" },
	{ "plug", cmd_plug, "[CLASS/]DEVICE BUS", "plug a device into a bus" },
	{ "unplug", cmd_unplug, "[CLASS/]DEVICE", "unplug a device" },
	{ "show", cmd_show, "[--json] [--stats]", "show buses and devices" },
	{ "top", cmd_top, "[--interval SECONDS] [--count N]", "what the lanes do, per second" },
	{ "run", cmd_run, "BUS [OPTION...] [-- QEMU-ARG...]", "start a guest on a bus" },
	{ NULL, NULL, NULL, NULL },
};

/* One line about what went wrong; returns the exit status for it. */
int fail(const char *fmt, ...)
{
	va_list ap;

	fputs("vbus: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return VBUS_EXIT_FAIL;
}

static void print_usage(FILE *to, const struct vbus_cmd *cmds, const char *what)
{
	for (; cmds->name; cmds++)
		fprintf(to, "  vbus %s%s %s\n      %s\n", what, cmds->name,
			cmds->usage, cmds->help);
}

int usage(const struct vbus_cmd *cmd)
{
	fprintf(stderr, "usage: vbus %s %s\n", cmd->name, cmd->usage);
	return VBUS_EXIT_USAGE;
}

/* Run the command named by argv[0]; @what is what came before it. */
int vbus_dispatch(const struct vbus_cmd *cmds, const char *what, int argc,
		  char **argv)
{
	const struct vbus_cmd *c;

	for (c = cmds; argc > 0 && c->name; c++)
		if (!strcmp(c->name, argv[0]))
			return c->run(argc - 1, argv + 1);
	if (argc > 0 && strcmp(argv[0], "--help") && strcmp(argv[0], "-h"))
		fprintf(stderr, "vbus: unknown command '%s%s'\n", what, argv[0]);
	fprintf(stderr, "usage:\n");
	print_usage(stderr, cmds, what);
	return VBUS_EXIT_USAGE;
}

int main(int argc, char **argv)
{
	static char show[] = "show", *bare[] = { show, NULL };

	if (argc < 2)
		return vbus_dispatch(commands, "", 1, bare);
	return vbus_dispatch(commands, "", argc - 1, argv + 1);
}
