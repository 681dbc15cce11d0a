/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What lab/l2 and the agent in the guest say to each other over a virtio port.
 *
 * Every frame has a header and "len" bytes after it.  The client picks an id
 * for each command and the agent repeats it in all its answers, so whatever an
 * earlier client left in the pipe is recognised and skipped: the client looks
 * for the header of its own LAB_STARTED.  A frame to the agent with any id
 * ends the command that still runs.
 *
 * Byte order is the machine's: both ends are the same computer.
 */
#ifndef LAB_AGENT_H
#define LAB_AGENT_H

#include <stdint.h>

#define LAB_MAGIC 0x4c534256 /* "VBSL" */
#define LAB_PORT "/dev/virtio-ports/vbus.agent"

enum lab_type {
	/* to the agent */
	LAB_RUN = 1, /* argument strings, each with its NUL: run them */
	LAB_KILL, /* nothing: kill the command's process group */

	/* to the client */
	LAB_STARTED, /* nothing: the command is accepted */
	LAB_STDOUT, /* output */
	LAB_STDERR, /* output */
	LAB_EXIT, /* a uint32_t, the exit status: the last frame */
};

/* Longest argument list. */
#define LAB_RUN_MAX (128 * 1024)
/* Longest piece of output in one frame. */
#define LAB_OUTPUT_MAX (32 * 1024)

struct lab_header {
	uint32_t magic;
	uint32_t type;
	uint64_t id;
	uint32_t len;
	uint32_t reserved;
};

_Static_assert(sizeof(struct lab_header) == 24, "the header has no holes");

#endif
