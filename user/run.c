// SPDX-License-Identifier: GPL-2.0-only
/*
 * vbus run: start a guest by stock QEMU, attached to a bus.
 *
 * It becomes QEMU: the same process, so the exit status and signals are QEMU's.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vbus.h"

#define ARGS_MAX	256

struct args {
	char *v[ARGS_MAX];
	int n;
};

static void add(struct args *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct args *a, const char *fmt, ...)
{
	__builtin_va_list ap;
	int n = -1;

	__builtin_va_start(ap, fmt);
	if (a->n < ARGS_MAX - 1)
		n = vasprintf(&a->v[a->n], fmt, ap);
	__builtin_va_end(ap);
	if (n < 0) {
		fail("too many arguments");
		exit(VBUS_EXIT_USAGE);
	}
	a->v[++a->n] = NULL;
}

static int run_usage(FILE *to)
{
	fputs("usage: vbus run BUS [OPTION...] [-- QEMU-ARG...]\n"
	      "  --kernel FILE   boot this kernel\n"
	      "  --initrd FILE   with this initial ramdisk\n"
	      "  --append TEXT   and this command line\n"
	      "  --disk FILE     a disk image (raw or qcow2)\n"
	      "  --mem MB        memory, default 1024\n"
	      "  --cpus N        virtual CPUs, default 1\n"
	      "  --dry-run       print QEMU's command line only\n"
	      "VBUS_QEMU names another QEMU than qemu-system-x86_64.\n", to);
	return VBUS_EXIT_USAGE;
}

struct run {
	const char *kernel, *initrd, *append, *disk, *mem, *cpus;
	bool dry_run;
};

static int parse(int argc, char **argv, struct run *r)
{
	static const struct option options[] = {
		{ "kernel", required_argument, NULL, 'k' },
		{ "initrd", required_argument, NULL, 'i' },
		{ "append", required_argument, NULL, 'a' },
		{ "disk", required_argument, NULL, 'd' },
		{ "mem", required_argument, NULL, 'm' },
		{ "cpus", required_argument, NULL, 'c' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	/* getopt wants a program name before the options: the bus will do */
	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (c) {
		case 'k':
			r->kernel = optarg;
			break;
		case 'i':
			r->initrd = optarg;
			break;
		case 'a':
			r->append = optarg;
			break;
		case 'd':
			r->disk = optarg;
			break;
		case 'm':
			r->mem = optarg;
			break;
		case 'c':
			r->cpus = optarg;
			break;
		case 'n':
			r->dry_run = true;
			break;
		default:
			return run_usage(stderr);
		}
	}
	if (optind < argc && strcmp(argv[optind - 1], "--"))
		return run_usage(stderr);
	return VBUS_EXIT_OK;
}

static int check_number(const char *what, const char *value)
{
	char *end;
	long n = strtol(value, &end, 10);

	if (*end || end == value || n < 1) {
		fail("--%s: '%s' is not a number above 0", what, value);
		return VBUS_EXIT_USAGE;
	}
	return VBUS_EXIT_OK;
}

static int check_file(const char *what, const char *file)
{
	return file && access(file, R_OK) ?
	       fail("%s %s: %s", what, file, strerror(errno)) : VBUS_EXIT_OK;
}

/* Where is the bus, and may we use it? */
static int find_bus(const char *bus, char *address, size_t size)
{
	char state[64];

	if (cfs_open())
		return VBUS_EXIT_FAIL;
	if (!cfs_exists("buses/%s", bus))
		return fail("bus %s: there is none", bus);
	cfs_read(address, size, "buses/%s/address", bus);
	if (!address[0])
		return fail("bus %s: it is not enabled", bus);
	if (strncmp(address, "/dev/", 5))
		return fail("bus %s: there is no /dev/vhost-vdpa-* for it (%s): is vhost_vdpa loaded?",
			    bus, address);
	cfs_read(state, sizeof(state), "buses/%s/state", bus);
	if (!strcmp(state, "attached"))
		return fail("bus %s: a guest is attached already", bus);
	if (access(address, R_OK | W_OK))
		return fail("bus %s: %s: %s", bus, address, strerror(errno));
	return VBUS_EXIT_OK;
}

/* One lane for each virtual CPU: else CPUs share an interrupt and a doorbell. */
static void check_lanes(const char *bus, const char *cpus)
{
	char lanes[64];

	if (!cfs_read(lanes, sizeof(lanes), "buses/%s/lanes", bus) &&
	    atol(lanes) < atol(cpus))
		fprintf(stderr, "vbus: hint: bus %s has %ld lane%s for %ld virtual CPUs; one for each is best (vbus bus add --lanes)\n",
			bus, atol(lanes), atol(lanes) == 1 ? "" : "s",
			atol(cpus));
}

/* vhost-vdpa pins all memory of the guest and counts it for everybody. */
static int raise_memlock(const char *mem)
{
	rlim_t need = (rlim_t)(atol(mem) + 64) << 20;
	struct rlimit lim = { RLIM_INFINITY, RLIM_INFINITY };

	if (!setrlimit(RLIMIT_MEMLOCK, &lim))
		return VBUS_EXIT_OK;
	if (getrlimit(RLIMIT_MEMLOCK, &lim))
		return fail("RLIMIT_MEMLOCK: %s", strerror(errno));
	if (lim.rlim_max != RLIM_INFINITY && lim.rlim_max < need)
		return fail("the limit of locked memory is %llu MB, the guest needs %llu MB (ulimit -l)",
			    (unsigned long long)lim.rlim_max >> 20,
			    (unsigned long long)need >> 20);
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_MEMLOCK, &lim);
	return VBUS_EXIT_OK;
}

static void build(struct args *a, const struct run *r, const char *qemu,
		  const char *address)
{
	add(a, "%s", qemu);
	add(a, "-accel");
	add(a, "kvm");
	add(a, "-cpu");
	add(a, "host");
	add(a, "-m");
	add(a, "%s", r->mem);
	add(a, "-smp");
	add(a, "%s", r->cpus);
	if (r->kernel) {
		add(a, "-kernel");
		add(a, "%s", r->kernel);
	}
	if (r->initrd) {
		add(a, "-initrd");
		add(a, "%s", r->initrd);
	}
	if (r->append) {
		add(a, "-append");
		add(a, "%s", r->append);
	}
	if (r->disk) {
		add(a, "-drive");
		add(a, "file=%s,if=virtio", r->disk);
	}
	add(a, "-nic");
	add(a, "none");
	add(a, "-device");
	add(a, "vhost-vdpa-device-pci,vhostdev=%s,disable-legacy=on,modern-pio-notify=on",
	    address);
}

int cmd_run(int argc, char **argv)
{
	struct run r = { .mem = "1024", .cpus = "1" };
	const char *qemu = getenv("VBUS_QEMU");
	struct args a = { .n = 0 };
	char address[256];
	int i, ret;

	if (argc < 1 || !name_valid(argv[0]) || argv[0][0] == '-')
		return run_usage(stderr);
	ret = parse(argc, argv, &r);
	if (!ret)
		ret = check_number("mem", r.mem);
	if (!ret)
		ret = check_number("cpus", r.cpus);
	if (!ret)
		ret = check_file("kernel", r.kernel);
	if (!ret)
		ret = check_file("initrd", r.initrd);
	if (!ret)
		ret = check_file("disk", r.disk);
	if (!ret)
		ret = find_bus(argv[0], address, sizeof(address));
	if (ret)
		return ret;
	check_lanes(argv[0], r.cpus);
	build(&a, &r, qemu ? qemu : "qemu-system-x86_64", address);
	for (i = optind; i < argc; i++)
		add(&a, "%s", argv[i]);
	if (r.dry_run) {
		for (i = 0; i < a.n; i++)
			printf("%s%c", a.v[i], i + 1 < a.n ? ' ' : '\n');
		return VBUS_EXIT_OK;
	}
	if (access("/dev/kvm", R_OK | W_OK))
		return fail("/dev/kvm: %s", strerror(errno));
	ret = raise_memlock(r.mem);
	if (ret)
		return ret;
	execvp(a.v[0], a.v);
	return fail("%s: %s", a.v[0], strerror(errno));
}
