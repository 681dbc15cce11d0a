// SPDX-License-Identifier: GPL-2.0-only
/*
 * Run a command in L1 and copy its output to the ports that lab/run listens on.
 *
 * usage: relay OUT ERR CMD [ARG...]
 *
 * A virtio port can be open only once, so the command gets pipes.  Daemons that
 * it leaves behind may keep the pipes open: when the command itself has ended,
 * what is in the pipes is copied and the relay ends too.  ERR may be "-": then
 * both streams share one pipe and stay in order.
 *
 * Exit status: that of the command, 128 + signal, or 127 if it cannot be run.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct stream {
	int port;
	int pipe;
};

static void stream_open(struct stream *s, const char *port, int *write_end)
{
	int fds[2];

	s->port = open(port, O_WRONLY | O_CLOEXEC);
	if (s->port < 0)
		err(127, "%s", port);
	if (pipe2(fds, O_CLOEXEC))
		err(127, "pipe");
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	s->pipe = fds[0];
	*write_end = fds[1];
}

static void write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		/* Nobody listens any more: the command goes on without us. */
		if (n <= 0)
			return;
		buf += n;
		len -= n;
	}
}

/* Copies what is in the pipe now. */
static void stream_copy(struct stream *s)
{
	static char buf[65536];
	ssize_t n;

	if (s->pipe < 0)
		return;
	while ((n = read(s->pipe, buf, sizeof(buf))) > 0)
		write_all(s->port, buf, n);
	if (n == 0) {
		close(s->pipe);
		s->pipe = -1;
	}
}

static pid_t spawn(char **argv, int out, int errors, const sigset_t *restore)
{
	pid_t pid = fork();

	if (pid < 0)
		err(127, "fork");
	if (pid)
		return pid;

	setsid();
	sigprocmask(SIG_SETMASK, restore, NULL);
	dup2(out, STDOUT_FILENO);
	dup2(errors, STDERR_FILENO);
	execvp(argv[0], argv);
	err(127, "%s", argv[0]);
}

int main(int argc, char **argv)
{
	struct stream streams[2] = { { -1, -1 }, { -1, -1 } };
	int out, errors, status, sigchld;
	sigset_t mask, old;
	pid_t pid;

	if (argc < 4)
		errx(127, "usage: relay OUT ERR CMD [ARG...]");

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, &old);
	sigchld = signalfd(-1, &mask, SFD_CLOEXEC);
	if (sigchld < 0)
		err(127, "signalfd");

	stream_open(&streams[0], argv[1], &out);
	errors = out;
	if (strcmp(argv[2], "-"))
		stream_open(&streams[1], argv[2], &errors);

	pid = spawn(argv + 3, out, errors, &old);
	close(out);
	if (errors != out)
		close(errors);

	for (;;) {
		struct pollfd fds[] = {
			{ .fd = streams[0].pipe, .events = POLLIN },
			{ .fd = streams[1].pipe, .events = POLLIN },
			{ .fd = sigchld, .events = POLLIN },
		};
		pid_t done = waitpid(pid, &status, WNOHANG);

		/* After the check: all that the command wrote is in the pipes. */
		stream_copy(&streams[0]);
		stream_copy(&streams[1]);
		if (done == pid)
			break;

		poll(fds, 3, -1);
		if (fds[2].revents) {
			struct signalfd_siginfo info;

			(void)!read(sigchld, &info, sizeof(info));
		}
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
