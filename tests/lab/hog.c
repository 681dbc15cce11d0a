// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keep a machine without free memory.
 *
 * usage: hog SECONDS KILLS LIMIT
 *
 * A child eats all memory.  When the kernel kills somebody for lack of memory it kills
 * that one, and another one takes its place, again and again: for SECONDS, and until
 * KILLS were killed, for the kernel may need long to find that nothing is left; but no
 * longer than LIMIT seconds.  Prints how many were.
 * Where there is no swap, what it eats cannot be reclaimed.  Other children only wait:
 * should memory be wanted while one that was killed is still on its way out, the kernel
 * is to kill one of them and nobody else.
 */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BITE	(64u << 10)
#define SPARES	4u

static void oom_score_adj(const char *score)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	if (fd < 0 || write(fd, score, strlen(score)) < 0)
		err(1, "oom_score_adj");
	close(fd);
}

static void __attribute__((noreturn)) eat(void)
{
	oom_score_adj("1000");
	for (;;)
		if (mmap(NULL, BITE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
			err(1, "mmap");
}

/* Have as many children that wait as there should be. */
static void keep_spares(void)
{
	static pid_t spare[SPARES];
	unsigned int i;

	for (i = 0; i < SPARES; i++) {
		if (spare[i] > 0 && !waitpid(spare[i], NULL, WNOHANG))
			continue;
		spare[i] = fork();
		if (!spare[i]) {
			oom_score_adj("1000");
			/* not without the one that would replace it */
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	const double start = now();
	double least, most, deadline;
	unsigned int killed = 0, kills;

	if (argc != 4)
		errx(2, "usage: hog SECONDS KILLS LIMIT");
	least = start + atof(argv[1]);
	kills = strtoul(argv[2], NULL, 10);
	most = start + atof(argv[3]);
	oom_score_adj("-1000");
	while (now() < (deadline = killed < kills ? most : least)) {
		const struct timespec tick = { .tv_nsec = 10 * 1000 * 1000 };
		int status;
		pid_t pid;

		keep_spares();
		pid = fork();
		if (pid < 0) {	/* it is what this is about */
			nanosleep(&tick, NULL);
			continue;
		}
		if (!pid)
			eat();
		/* the last one may live: whoever is left when the time is up */
		while (!waitpid(pid, &status, WNOHANG)) {
			if (now() >= deadline)
				kill(pid, SIGKILL);
			keep_spares();
			nanosleep(&tick, NULL);
		}
		if (!WIFSIGNALED(status))
			return 1;
		killed += now() < deadline;
	}
	printf("%u\n", killed);
	return 0;
}
