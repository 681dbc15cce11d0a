// SPDX-License-Identifier: GPL-2.0-only
/*
 * XDP programs, made here instruction by instruction.
 *
 * usage: xdp attach IFNAME ACTION [WORD...]	native mode; prints OK or the error
 *	  xdp flip IFNAME COUNT [WORD...]	exchange two programs that pass all
 *	  xdp detach IFNAME
 *	  xdp check-meta IFNAME			as long as it runs, ingress drops
 *						frames without metadata
 *
 * ACTION is aborted, drop, pass, tx, redirect or a number from 5 on.  It is what
 * the program does to frames of our ethertype; others pass.  WORD: see frames.h.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "frames.h"

#define META		0x74656e76u
#define INSNS_MAX	128

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "xdp: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void __attribute__((noreturn)) usage(void)
{
	fprintf(stderr, "usage: see the head of xdp.c\n");
	exit(2);
}

static int ifindex(const char *name)
{
	int i = if_nametoindex(name);

	if (!i)
		die(name);
	return i;
}

/* ------------------------------------------------------------- programs */

static struct bpf_insn insn[INSNS_MAX];
static int insns;
static int to_pass[4], to_abort[8], passes, aborts;

static void emit(uint8_t code, int dst, int src, int off, int imm)
{
	if (insns == INSNS_MAX)
		abort();
	insn[insns++] = (struct bpf_insn){
		.code = code, .dst_reg = dst, .src_reg = src,
		.off = off, .imm = imm,
	};
}

#define MOV(d, s)	emit(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOVI(d, i)	emit(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ADDI(d, i)	emit(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define LOAD(sz, d, s, o)	emit(BPF_LDX | BPF_MEM | (sz), d, s, o, 0)
#define STORE(sz, d, o, s)	emit(BPF_STX | BPF_MEM | (sz), d, s, o, 0)
#define STOREI(sz, d, o, i)	emit(BPF_ST | BPF_MEM | (sz), d, 0, o, i)
#define CALL(f)		emit(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define EXIT()		emit(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* Jumps to the ends of the program, which come last. */
static void jump_pass(uint8_t op, int dst, int src, int imm)
{
	to_pass[passes++] = insns;
	emit(BPF_JMP | op, dst, src, 0, imm);
}

static void jump_abort(uint8_t op, int dst, int src, int imm)
{
	to_abort[aborts++] = insns;
	emit(BPF_JMP | op, dst, src, 0, imm);
}

static void land(const int *from, int n)
{
	while (n--)
		insn[from[n]].off = insns - from[n] - 1;
}

/* r2 = data, and abort if there are less than @len bytes. */
static void emit_data(int len)
{
	LOAD(BPF_W, 2, 6, offsetof(struct xdp_md, data));
	LOAD(BPF_W, 3, 6, offsetof(struct xdp_md, data_end));
	MOV(4, 2);
	ADDI(4, len);
	jump_abort(BPF_JGT | BPF_X, 4, 3, 0);
}

static void emit_adjust(int helper, int delta)
{
	MOV(1, 6);
	MOVI(2, delta);
	CALL(helper);
	jump_abort(BPF_JNE | BPF_K, 0, 0, 0);
}

static void emit_head(int delta)
{
	int i;

	if (delta < 0) {
		for (i = 0; i < ETH_HLEN; i += 2) {
			LOAD(BPF_H, 5, 2, i);
			STORE(BPF_H, 2, HEAD + i, 5);
		}
		emit_adjust(BPF_FUNC_xdp_adjust_head, HEAD);
		return;
	}
	emit_adjust(BPF_FUNC_xdp_adjust_head, -HEAD);
	emit_data(ETH_HLEN + HEAD);
	for (i = 0; i < ETH_HLEN; i += 2) {
		LOAD(BPF_H, 5, 2, HEAD + i);
		STORE(BPF_H, 2, i, 5);
	}
	for (i = 0; i < HEAD; i += 4)
		STOREI(BPF_W, 2, ETH_HLEN + i, FILL);
}

static void emit_meta(void)
{
	emit_adjust(BPF_FUNC_xdp_adjust_meta, -4);
	LOAD(BPF_W, 2, 6, offsetof(struct xdp_md, data));
	LOAD(BPF_W, 1, 6, offsetof(struct xdp_md, data_meta));
	MOV(4, 1);
	ADDI(4, 4);
	jump_abort(BPF_JGT | BPF_X, 4, 2, 0);
	STOREI(BPF_W, 1, 0, META);
}

static void emit_program(int action, int map, const struct words *w)
{
	int i;

	insns = passes = aborts = 0;
	MOV(6, 1);
	LOAD(BPF_W, 2, 6, offsetof(struct xdp_md, data));
	LOAD(BPF_W, 3, 6, offsetof(struct xdp_md, data_end));
	MOV(4, 2);
	ADDI(4, FRAME_MIN);
	jump_pass(BPF_JGT | BPF_X, 4, 3, 0);
	LOAD(BPF_H, 5, 2, 12);
	jump_pass(BPF_JNE | BPF_K, 5, 0, htons(ETHERTYPE));
	for (i = 0; w->swap && i < 6; i += 2) {
		LOAD(BPF_H, 4, 2, i);
		LOAD(BPF_H, 5, 2, 6 + i);
		STORE(BPF_H, 2, i, 5);
		STORE(BPF_H, 2, 6 + i, 4);
	}
	if (w->head)
		emit_head(w->head);
	if (w->tail)
		emit_adjust(BPF_FUNC_xdp_adjust_tail, w->tail);
	if (w->meta)
		emit_meta();
	if (action == XDP_REDIRECT) {
		emit(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map);
		emit(0, 0, 0, 0, 0);
		MOVI(2, 0);
		MOVI(3, 0);
		CALL(BPF_FUNC_redirect_map);
	} else {
		MOVI(0, action);
	}
	EXIT();
	land(to_pass, passes);
	MOVI(0, XDP_PASS);
	EXIT();
	if (!aborts)
		return;		/* the verifier dislikes what is never reached */
	land(to_abort, aborts);
	MOVI(0, XDP_ABORTED);
	EXIT();
}

/* At the ingress hook: our frames pass only with metadata. */
static void emit_check_meta(void)
{
	insns = passes = aborts = 0;
	MOV(6, 1);
	LOAD(BPF_W, 5, 6, offsetof(struct __sk_buff, protocol));
	jump_pass(BPF_JNE | BPF_K, 5, 0, htons(ETHERTYPE));
	LOAD(BPF_W, 2, 6, offsetof(struct __sk_buff, data));
	LOAD(BPF_W, 1, 6, offsetof(struct __sk_buff, data_meta));
	MOV(4, 1);
	ADDI(4, 4);
	jump_abort(BPF_JGT | BPF_X, 4, 2, 0);
	LOAD(BPF_W, 5, 1, 0);
	jump_abort(BPF_JNE | BPF_K, 5, 0, META);
	land(to_pass, passes);
	MOVI(0, TCX_PASS);
	EXIT();
	land(to_abort, aborts);
	MOVI(0, TCX_DROP);
	EXIT();
}

static int bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int load(int type, int flags)
{
	static char log[65536];
	union bpf_attr attr = {
		.prog_type = type,
		.prog_flags = flags,
		.insns = (uintptr_t)insn,
		.insn_cnt = insns,
		.license = (uintptr_t)"GPL",
		.log_buf = (uintptr_t)log,
		.log_size = sizeof(log),
		.log_level = 1,
	};
	int fd = bpf(BPF_PROG_LOAD, &attr);

	if (fd < 0) {
		fprintf(stderr, "%s", log);
		die("program");
	}
	return fd;
}

static int devmap(const char *ifname)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_DEVMAP,
		.key_size = 4,
		.value_size = 4,
		.max_entries = 1,
	};
	uint32_t key = 0, value = ifindex(ifname);
	int fd = bpf(BPF_MAP_CREATE, &attr);

	if (fd < 0)
		die("devmap");
	memset(&attr, 0, sizeof(attr));
	attr.map_fd = fd;
	attr.key = (uintptr_t)&key;
	attr.value = (uintptr_t)&value;
	if (bpf(BPF_MAP_UPDATE_ELEM, &attr))
		die("devmap");
	return fd;
}

static int program(const char *name, const struct words *w)
{
	static const char *const names[] = {
		"aborted", "drop", "pass", "tx", "redirect",
	};
	int i, map = -1;

	for (i = 0; i < 5 && strcmp(name, names[i]); i++)
		;
	if (i == 5) {
		i = atoi(name);
		if (i < 5)
			usage();
	}
	if (i == XDP_REDIRECT)
		map = devmap(w->to ? w->to : "");
	emit_program(i, map, w);
	return load(BPF_PROG_TYPE_XDP, w->frags ? BPF_F_XDP_HAS_FRAGS : 0);
}

/* ------------------------------------------------------------- attaching */

struct request {
	struct nlmsghdr head;
	struct ifinfomsg info;
	struct nlattr xdp;
	struct nlattr fd_attr;
	int32_t fd;
	struct nlattr flags_attr;
	uint32_t flags;
};

static const char *extack(const struct nlmsghdr *h)
{
	const char *end = (const char *)h + h->nlmsg_len;
	const char *p = (const char *)NLMSG_DATA(h) + sizeof(struct nlmsgerr);

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return "";
	while (p + sizeof(struct nlattr) <= end) {
		const struct nlattr *a = (const void *)p;

		if (a->nla_len < sizeof(*a))
			break;
		if ((a->nla_type & NLA_TYPE_MASK) == NLMSGERR_ATTR_MSG)
			return p + sizeof(*a);
		p += NLA_ALIGN(a->nla_len);
	}
	return "";
}

/* @fd -1: detach.  Returns 0, or 1 and has said why not. */
static int set_program(const char *ifname, int fd, int quiet)
{
	struct request r = {
		.head = {
			.nlmsg_len = sizeof(r),
			.nlmsg_type = RTM_SETLINK,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		},
		.info = { .ifi_index = ifindex(ifname) },
		.xdp = {
			.nla_len = sizeof(r) - offsetof(struct request, xdp),
			.nla_type = IFLA_XDP | NLA_F_NESTED,
		},
		.fd_attr = { .nla_len = 8, .nla_type = IFLA_XDP_FD },
		.fd = fd,
		.flags_attr = { .nla_len = 8, .nla_type = IFLA_XDP_FLAGS },
		.flags = XDP_FLAGS_DRV_MODE,
	};
	int on = 1, s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	static uint32_t answer[1024];
	const struct nlmsghdr *h = (const void *)answer;
	const struct nlmsgerr *e;

	if (s < 0 ||
	    setsockopt(s, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) ||
	    setsockopt(s, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) ||
	    send(s, &r, sizeof(r), 0) != sizeof(r) ||
	    recv(s, answer, sizeof(answer), 0) < (ssize_t)NLMSG_LENGTH(sizeof(*e)) ||
	    h->nlmsg_type != NLMSG_ERROR)
		die("netlink");
	close(s);
	e = NLMSG_DATA(h);
	if (!e->error) {
		if (!quiet)
			puts("OK");
		return 0;
	}
	printf("%s %s\n", strerrorname_np(-e->error), extack(h));
	return 1;
}

static int flip(const char *ifname, int count, const struct words *w)
{
	int fd[2], i;

	for (i = 0; i < 2; i++) {
		emit_program(XDP_PASS, -1, w);
		fd[i] = load(BPF_PROG_TYPE_XDP,
			     w->frags ? BPF_F_XDP_HAS_FRAGS : 0);
	}
	for (i = 0; i < count; i++) {
		struct timespec t = { .tv_nsec = 2000000 };

		if (set_program(ifname, fd[i & 1], 1))
			return 1;
		nanosleep(&t, NULL);	/* frames in between */
	}
	puts("OK");
	return 0;
}

/* Until it is killed. */
static int check_meta(const char *ifname)
{
	union bpf_attr attr = {
		.link_create.attach_type = BPF_TCX_INGRESS,
		.link_create.target_ifindex = ifindex(ifname),
	};

	emit_check_meta();
	attr.link_create.prog_fd = load(BPF_PROG_TYPE_SCHED_CLS, 0);
	if (bpf(BPF_LINK_CREATE, &attr) < 0)
		die(ifname);
	puts("OK");
	fflush(stdout);
	return pause();
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	struct words w;

	if (!strcmp(what, "attach") && argc > 3 && !parse_words(argv + 4, &w))
		return set_program(argv[2], program(argv[3], &w), 0);
	if (!strcmp(what, "flip") && argc > 3 && !parse_words(argv + 4, &w))
		return flip(argv[2], atoi(argv[3]), &w);
	if (!strcmp(what, "detach"))
		return set_program(argv[2], -1, 0);
	if (!strcmp(what, "check-meta"))
		return check_meta(argv[2]);
	usage();
}
