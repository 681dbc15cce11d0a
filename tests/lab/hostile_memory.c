// SPDX-License-Identifier: GPL-2.0-only
/* Scenarios of memory that goes away, and of guests that do. */
#define _GNU_SOURCE
#include <linux/vhost.h>
#include <stdio.h>
#include <unistd.h>

#include "hostile.h"

static void s_unmap(void)
{
	live_with_packets(0);
	if (iotlb(IOVA, MEM_SIZE, NULL, 0, VHOST_IOTLB_INVALIDATE))
		die("unmap");
	ring(0);
	ring(1);
	wait_ms(SILENCE_MS);
	map_all();
	say(verb(VBUS_VERB_LIST, 0));
	bus_page();
	say(hello());
	open_venet();
	must(start_with(0, 1), "start");
	say(tx_good());
}

/* Other memory comes and goes while it runs: the session goes on. */
static void s_remap(void)
{
	unsigned int i;

	live_with_packets(0);
	for (i = 0; i < 20; i++) {
		if (iotlb(IOVA + MEM_SIZE, 0x1000, mem + BUF, VHOST_ACCESS_RW,
			  VHOST_IOTLB_UPDATE))
			die("map");
		if (iotlb(IOVA + MEM_SIZE, 0x1000, NULL, 0,
			  VHOST_IOTLB_INVALIDATE))
			die("unmap");
	}
	say(tx_good());
	say(rx_good());
}

static void s_hello_twice(void)
{
	live_with_packets(0);
	say(tx_good());
	bus_page();
	say(hello());
	say(start_with(0, 1));
	open_venet();
	must(start_with(0, 1), "start");
	say(tx_good());
	say(rx_good());
}

/* Queues are taken away and the device closed while packets are under way. */
static void s_close_in_use(void)
{
	unsigned int i, j;

	packet_open();
	attach();
	for (i = 0; i < 10; i++) {
		struct vbus_shm_req r = shm_req(VENET_SHM_TX(0), 0, 0);

		open_venet();
		must(start_with(0, 1), "start");
		for (j = 0; j < 20; j++) {
			frame(at(BUF), 1000);
			tx(IOVA + BUF, 1000, 0);
			signal_host(2);
		}
		r.req.verb = VBUS_VERB_UNSHM;
		if (i % 2)
			must(shm(r), "unshm");
		must(verb(VBUS_VERB_CLOSE, 0), "close");
		/* the event queue is shared by what comes next */
		wait_ms(10);
	}
	close(packet);
	packet_open();
	open_venet();
	must(start_with(0, 1), "start");
	say(tx_good());
}

/* Gone without a word, in the middle of everything. */
static void s_exit(void)
{
	unsigned int i;

	live_with_packets(0);
	for (i = 0; i < 32; i++)
		tx(IOVA + BUF, 1000, 0);
	signal_host(2);
	say("gone");
}

const struct scenario memory_scenarios[] = {
#define S(name) { #name, s_##name }
	S(unmap), S(remap), S(hello_twice), S(close_in_use), S(exit),
#undef S
	{ NULL, NULL },
};
