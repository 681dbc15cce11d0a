/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames that xdp.c's programs change and frames.c compares, byte by byte. */
#ifndef FRAMES_H
#define FRAMES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ETHERTYPE	0x88b5		/* for experiments */
#define ETH_HLEN	14
#define HEAD		16		/* bytes that head= adds or takes */
#define FILL		0xa5a5a5a5u
#define SEQ		(ETH_HLEN + HEAD)	/* where the frame's number is */
#define FRAME_MIN	(SEQ + 16)
#define FRAME_MAX	65536

/*
 * frags	the program takes frames of several buffers
 * swap		exchange source and destination address
 * head=N	N bytes more (+16) or less (-16) after the Ethernet header
 * tail=N	N bytes more or less at the end
 * meta		add metadata
 * to=IFNAME	where to redirect
 * mac=MAC	where frames are sent
 */
struct words {
	int frags, swap, meta, head, tail;
	const char *to;
	unsigned char mac[6];
};

static inline int parse_words(char **argv, struct words *w)
{
	*w = (struct words){ .mac = { 2, 0, 0, 0, 1, 0 } };
	for (; *argv; argv++) {
		if (!strcmp(*argv, "frags"))
			w->frags = 1;
		else if (!strcmp(*argv, "swap"))
			w->swap = 1;
		else if (!strcmp(*argv, "meta"))
			w->meta = 1;
		else if (!strcmp(*argv, "head=+16") || !strcmp(*argv, "head=-16"))
			w->head = atoi(*argv + 5);
		else if (!strncmp(*argv, "tail=", 5))
			w->tail = atoi(*argv + 5);
		else if (!strncmp(*argv, "to=", 3))
			w->to = *argv + 3;
		else if (sscanf(*argv, "mac=%hhx:%hhx:%hhx:%hhx:%hhx:%hhx",
				&w->mac[0], &w->mac[1], &w->mac[2], &w->mac[3],
				&w->mac[4], &w->mac[5]) == 6)
			continue;
		else
			return -1;
	}
	return 0;
}

#endif /* FRAMES_H */
