// SPDX-License-Identifier: GPL-2.0-only
/* vbus top: what the lanes of all buses do, per second, the busiest first. */

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vbus.h"

#define LANES_MAX	256
#define COUNTERS_MAX	32

/* Columns of a lane's line, after its number, in the order of the attribute. */
static const char *const shown[] = {
	"kicks", "doorbells", "signals", "interrupts", "hold_saved",
	"in_context", "worker_rounds", "spins_won", "spins_lost",
};

struct lane {
	char name[64];
	int64_t count[COUNTERS_MAX];
};

struct sample {
	struct timespec when;
	size_t n;
	struct lane lane[LANES_MAX];
};

/* Where each shown column stands in the attribute; set by the first sample. */
static int column[sizeof(shown) / sizeof(*shown)];
#define COLUMNS		(sizeof(shown) / sizeof(*shown))

static void find_columns(char *header)
{
	char *word, *save;
	size_t i;
	int n = 0;

	memset(column, -1, sizeof(column));
	for (word = strtok_r(header, " ", &save); word;
	     word = strtok_r(NULL, " ", &save), n++)
		for (i = 0; i < COLUMNS; i++)
			if (!strcmp(word, shown[i]) && n < COUNTERS_MAX)
				column[i] = n;
}

static int add_bus(const char *name, void *arg)
{
	char text[CFS_VALUE_MAX], *line, *word, *save_line, *save_word;
	struct sample *s = arg;
	int n;

	if (cfs_read(text, sizeof(text), "buses/%s/stats", name))
		return 0;
	line = strtok_r(text, "\n", &save_line);
	if (line)
		find_columns(line);
	while (line && (line = strtok_r(NULL, "\n", &save_line)) &&
	       s->n < LANES_MAX) {
		struct lane *lane = &s->lane[s->n++];

		memset(lane, 0, sizeof(*lane));
		n = 0;
		for (word = strtok_r(line, " ", &save_word);
		     word && n < COUNTERS_MAX;
		     word = strtok_r(NULL, " ", &save_word))
			lane->count[n++] = strtoll(word, NULL, 10);
		snprintf(lane->name, sizeof(lane->name), "%s/%lld", name,
			 (long long)lane->count[0]);
	}
	return 0;
}

static void take(struct sample *s)
{
	s->n = 0;
	clock_gettime(CLOCK_MONOTONIC, &s->when);
	cfs_each("buses", 'd', add_bus, s);
}

static const struct lane *find(const struct sample *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (!strcmp(s->lane[i].name, name))
			return &s->lane[i];
	return NULL;
}

struct rate {
	const char *name;
	double value[COLUMNS];
};

static int busiest_first(const void *a, const void *b)
{
	const struct rate *x = a, *y = b;
	double dx = x->value[0] + x->value[2], dy = y->value[0] + y->value[2];

	return dx < dy ? 1 : dx > dy ? -1 : strcmp(x->name, y->name);
}

static void print(const struct sample *now, const struct sample *before)
{
	static struct rate rates[LANES_MAX];
	double seconds = (now->when.tv_sec - before->when.tv_sec) +
			 (now->when.tv_nsec - before->when.tv_nsec) / 1e9;
	size_t i, j, n = 0;

	for (i = 0; i < now->n; i++) {
		const struct lane *old = find(before, now->lane[i].name);

		rates[n].name = now->lane[i].name;
		for (j = 0; j < COLUMNS; j++) {
			int64_t delta = 0;

			if (old && column[j] >= 0)
				delta = now->lane[i].count[column[j]] -
					old->count[column[j]];
			rates[n].value[j] = delta / seconds;
		}
		n++;
	}
	qsort(rates, n, sizeof(*rates), busiest_first);
	printf("%-20s", "lane, per second");
	for (j = 0; j < COLUMNS; j++)
		printf(" %13s", shown[j]);
	putchar('\n');
	for (i = 0; i < n; i++) {
		printf("%-20s", rates[i].name);
		for (j = 0; j < COLUMNS; j++)
			printf(" %13.0f", rates[i].value[j]);
		putchar('\n');
	}
	fflush(stdout);
}

static int top_usage(void)
{
	fprintf(stderr, "usage: vbus top [--interval SECONDS] [--count N]\n");
	return VBUS_EXIT_USAGE;
}

int cmd_top(int argc, char **argv)
{
	static struct sample samples[2];
	struct timespec pause;
	double interval = 1;
	long count = 0, i;
	char *end;
	int k;

	for (k = 0; k < argc; k += 2) {
		if (k + 1 >= argc)
			return top_usage();
		if (!strcmp(argv[k], "--interval"))
			interval = strtod(argv[k + 1], &end);
		else if (!strcmp(argv[k], "--count"))
			count = strtol(argv[k + 1], &end, 10);
		else
			return top_usage();
		if (*end || end == argv[k + 1] || interval < 0.1 ||
		    interval > 3600 || count < 0)
			return top_usage();
	}
	if (cfs_open())
		return VBUS_EXIT_FAIL;
	pause.tv_sec = (time_t)interval;
	pause.tv_nsec = (long)((interval - pause.tv_sec) * 1e9);
	take(&samples[0]);
	for (i = 0; !count || i < count; i++) {
		while (nanosleep(&pause, NULL) && errno == EINTR)
			;
		take(&samples[(i + 1) & 1]);
		if (isatty(STDOUT_FILENO))
			fputs("\033[H\033[J", stdout);
		print(&samples[(i + 1) & 1], &samples[i & 1]);
	}
	return VBUS_EXIT_OK;
}
