// SPDX-License-Identifier: GPL-2.0-only
/*
 * The agent in the guest: runs the commands that lab/l2 sends, one at a time,
 * and returns their output and exit status.  agent.h is the protocol.
 *
 * While nobody is connected the port polls as hung up all the time.  The driver
 * sends SIGIO when that changes, so the agent sleeps for the signal and costs
 * the guest nothing: it must not show in measurements.
 *
 * The driver learns of a connection from a work item, so the first data of a
 * client may come while the port still counts as hung up.  Only a hang-up that
 * lasts for GRACE_MS is one.
 *
 * It is PID 1, so it also reaps whatever the commands leave behind.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"

#define GRACE_MS 1000

struct command {
	uint64_t id;
	pid_t pid; /* 0: none */
	int out;
	int errors;
};

static struct {
	struct lab_header header;
	char payload[LAB_RUN_MAX];
	size_t have; /* bytes of header and payload */
} input;

static int port;
static struct command command = { .out = -1, .errors = -1 };
static sigset_t wait_mask;

/* Returns false when the client is gone. */
static bool port_write(const void *data, size_t len)
{
	const char *p = data;
	int patience = GRACE_MS;

	while (len) {
		ssize_t n = write(port, p, len);

		if (n > 0) {
			p += n;
			len -= n;
			patience = GRACE_MS;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			struct pollfd fd = { .fd = port, .events = POLLOUT };

			poll(&fd, 1, -1);
			if (!(fd.revents & POLLHUP))
				continue;
			/* Hung up: there is nothing to wait for but time. */
			if (patience-- > 0) {
				poll(NULL, 0, 1);
				continue;
			}
		}
		return false;
	}
	return true;
}

static bool send_frame(enum lab_type type, const void *data, uint32_t len)
{
	static char frame[sizeof(struct lab_header) + LAB_OUTPUT_MAX];
	const struct lab_header header = {
		.magic = LAB_MAGIC,
		.type = type,
		.id = command.id,
		.len = len,
	};

	memcpy(frame, &header, sizeof(header));
	if (len)
		memcpy(frame + sizeof(header), data, len);
	return port_write(frame, sizeof(header) + len);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void command_kill(void)
{
	if (!command.pid)
		return;
	/* The group exists only when the child has got so far. */
	kill(-command.pid, SIGKILL);
	kill(command.pid, SIGKILL);
	waitpid(command.pid, NULL, 0);
	command.pid = 0;
	close_fd(&command.out);
	close_fd(&command.errors);
}

/* Turns "a\0b\0" into an argument vector in place; NULL if it is none. */
static char **parse_arguments(char *data, size_t len)
{
	size_t n = 0, i;
	char **argv;

	if (!len || data[len - 1])
		return NULL;
	for (i = 0; i < len; i++)
		n += !data[i];
	argv = calloc(n + 1, sizeof(*argv));
	if (!argv)
		return NULL;
	for (i = 0; i < n; i++) {
		argv[i] = data;
		data += strlen(data) + 1;
	}
	return argv;
}

static void command_exec(char **argv, int out, int errors)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(errors, STDERR_FILENO);
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "agent: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void command_fail(const char *why)
{
	uint32_t status = 127;

	send_frame(LAB_STDERR, why, strlen(why));
	send_frame(LAB_EXIT, &status, sizeof(status));
}

static void command_run(uint64_t id, char *data, size_t len)
{
	char **argv = parse_arguments(data, len);
	int out[2], errors[2];

	command.id = id;
	if (!send_frame(LAB_STARTED, NULL, 0)) {
		free(argv);
		return;
	}
	if (!argv || pipe2(out, O_CLOEXEC)) {
		command_fail("agent: bad command\n");
		free(argv);
		return;
	}
	if (pipe2(errors, O_CLOEXEC)) {
		command_fail("agent: no pipe\n");
		goto err_close_out;
	}

	command.pid = fork();
	if (command.pid == 0)
		command_exec(argv, out[1], errors[1]);
	if (command.pid < 0) {
		command.pid = 0;
		command_fail("agent: cannot fork\n");
		goto err_close_errors;
	}
	free(argv);
	close(out[1]);
	close(errors[1]);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(errors[0], F_SETFL, O_NONBLOCK);
	command.out = out[0];
	command.errors = errors[0];
	return;

err_close_errors:
	close(errors[0]);
	close(errors[1]);
err_close_out:
	close(out[0]);
	close(out[1]);
	free(argv);
}

/* Sends what is in the pipe now.  Returns false when the client is gone. */
static bool stream_send(int *fd, enum lab_type type)
{
	static char buf[LAB_OUTPUT_MAX];
	ssize_t n;

	if (*fd < 0)
		return true;
	while ((n = read(*fd, buf, sizeof(buf))) > 0) {
		if (!send_frame(type, buf, n))
			return false;
	}
	if (n == 0)
		close_fd(fd);
	return true;
}

/* Returns true, and the command's status, when the command has ended. */
static bool reap(int *status)
{
	bool ended = false;
	pid_t pid;
	int s;

	while ((pid = waitpid(-1, &s, WNOHANG)) > 0) {
		if (pid == command.pid) {
			*status = s;
			ended = true;
		}
	}
	return ended;
}

/* Sends output, and the exit status when the command has ended. */
static void command_progress(void)
{
	/* Before the pipes: all that the command wrote is in them then. */
	int status = 0;
	bool ended = reap(&status);
	uint32_t code;

	if (!command.pid)
		return;
	if (!stream_send(&command.out, LAB_STDOUT) ||
	    !stream_send(&command.errors, LAB_STDERR)) {
		/* Already reaped: the number may belong to somebody else. */
		if (ended)
			command.pid = 0;
		command_kill();
		close_fd(&command.out);
		close_fd(&command.errors);
		return;
	}
	if (!ended)
		return;

	code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	command.pid = 0;
	close_fd(&command.out);
	close_fd(&command.errors);
	send_frame(LAB_EXIT, &code, sizeof(code));
}

static void frame_handle(void)
{
	command_kill();
	if (input.header.type == LAB_RUN)
		command_run(input.header.id, input.payload, input.header.len);
}

/* Reads towards the end of one frame.  Returns false when the port is hung up. */
static bool port_read(void)
{
	size_t goal = sizeof(input.header);
	ssize_t n;
	char *to;

	if (input.have >= sizeof(input.header)) {
		goal += input.header.len;
		to = input.payload + input.have - sizeof(input.header);
	} else {
		to = (char *)&input.header + input.have;
	}

	n = read(port, to, goal - input.have);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	input.have += n;
	if (input.have < goal)
		return true;

	if (goal == sizeof(input.header)) {
		/* Out of step: only a new connection brings us back. */
		if (input.header.magic != LAB_MAGIC || input.header.len > LAB_RUN_MAX)
			input.have = 0;
		else if (input.header.len)
			return true;
	}
	if (input.have) {
		input.have = 0;
		frame_handle();
	}
	return true;
}

static void on_signal(int signal)
{
	(void)signal;
}

static void signals_init(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGIO);
	sigprocmask(SIG_BLOCK, &mask, &wait_mask);
	sigaction(SIGCHLD, &action, NULL);
	sigaction(SIGIO, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* The port may appear later than we do: its driver can be a module. */
static void port_open(void)
{
	int tries;

	for (tries = 0; tries < 3000; tries++) {
		port = open(LAB_PORT, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (port >= 0)
			return;
		poll(NULL, 0, 10);
	}
	err(1, "%s", LAB_PORT);
}

int main(void)
{
	bool connected = true;

	signals_init();
	port_open();
	fcntl(port, F_SETOWN, getpid());
	fcntl(port, F_SETFL, O_RDWR | O_NONBLOCK | O_ASYNC);

	for (;;) {
		struct pollfd fds[] = {
			{ .fd = connected ? port : -1, .events = POLLIN },
			{ .fd = command.out, .events = POLLIN },
			{ .fd = command.errors, .events = POLLIN },
		};
		const struct timespec grace = {
			.tv_sec = GRACE_MS / 1000,
			.tv_nsec = GRACE_MS % 1000 * 1000000,
		};
		int ready = ppoll(fds, 3, connected ? NULL : &grace, &wait_mask);

		if (port_read()) {
			connected = true;
		} else {
			if (!connected && ready == 0) {
				input.have = 0;
				command_kill();
			}
			connected = false;
		}
		command_progress();
	}
}
