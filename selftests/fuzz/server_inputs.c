// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: all that ivshmemd reads. The first byte of the input says what the
 * rest is: the command line, lines on the control socket, the state that another
 * server left, what a keeper is told, or bytes and ends of peers. All of the
 * server but main.c is in here; "make fuzz-server" builds and runs it.
 */
#include <setjmp.h>
#include <stdlib.h>
#include <unistd.h>

/* A wrong command line ends the program: here, only its parsing. */
static jmp_buf ended;
static _Noreturn void fuzz_exit(int status);
#define exit fuzz_exit
#include "../../server/options.c"
#undef EXIT_USAGE
#include "../../server/value.c"
#undef exit
#undef EXIT_USAGE

#include "../../server/keeper.c"

#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#define NR_SLOTS 4
#define NR_VECTORS 2
#define NR_PEERS 3

static _Noreturn void fuzz_exit(int status)
{
	longjmp(ended, 1 + status);
}

/* --- the command line: words that end with a zero byte ------------------- */

static void fuzz_options(char *text, size_t size)
{
	char *argv[18] = { (char *)"ivshmemd" };
	static struct options options;
	int argc = 1;
	size_t at;

	for (at = 0; at < size && argc < 17; at += strlen(text + at) + 1)
		argv[argc++] = text + at;
	optind = 0;
	if (!setjmp(ended))
		options_parse(&options, argc, argv);
	else
		return;
	if (!options.size || options.nr_vectors > 256 || !*options.socket_path ||
	    options.socket_mode > 0777 || options.nr_vectors > options.limits.budget)
		abort();
}

/* --- a server with peers, whose input is a step a byte ------------------- */

struct rig {
	struct options options;
	struct peers peers;
	struct memory memory;
	struct turns turns;
	int epoll_fd;
	int state_fd;
	int ends[NR_PEERS];	/* of the peers, or -1 */
};

static void rig_open(struct rig *rig)
{
	char *argv[] = { (char *)"ivshmemd", (char *)"-n2", (char *)"--budget=8" };
	int i;

	*rig = (struct rig) { .memory.fd = memfd_create("memory", MFD_CLOEXEC) };
	optind = 0;
	options_parse(&rig->options, 3, argv);
	rig->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	rig->peers.state = state_create(NR_SLOTS, NR_VECTORS, &rig->state_fd);
	if (!rig->peers.state ||
	    peers_init(&rig->peers, &rig->options, rig->peers.state,
		       rig->epoll_fd, rig->memory.fd))
		abort();
	for (i = 0; i < NR_PEERS; i++)
		rig->ends[i] = -1;
}

static void rig_close(struct rig *rig)
{
	struct state *state = rig->peers.state;
	int i;

	peers_free(&rig->peers);
	for (i = 0; i < NR_PEERS; i++)
		if (rig->ends[i] >= 0)
			close(rig->ends[i]);
	munmap(state, sizeof(*state) + state->nr_slots * sizeof(state->peer[0]));
	close(rig->epoll_fd);
	close(rig->memory.fd);
	close(rig->state_fd);
}

static void rig_join(struct rig *rig, int i)
{
	int pair[2];

	if (rig->ends[i] >= 0)
		close(rig->ends[i]);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair))
		abort();
	rig->ends[i] = pair[0];
	peers_join(&rig->peers, pair[1]);
}

/* As main.c does it. */
static void rig_turn(struct rig *rig)
{
	struct epoll_event events[8];
	int i, nr = epoll_wait(rig->epoll_fd, events, 8, 0);

	for (i = 0; i < nr; i++)
		peers_event(&rig->peers, events[i].data.ptr, events[i].events);
	peers_reap(&rig->peers);
	peers_tick(&rig->peers);
}

static void rig_step(struct rig *rig, unsigned int step)
{
	int i = (int)(step >> 3) % NR_PEERS, fd = rig->ends[i];
	char bytes[64];

	switch (step & 7) {
	case 0:
		rig_join(rig, i);
		break;
	case 1:
		send(fd, &step, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case 2:
		shutdown(fd, (int)(step >> 6) % 3);
		break;
	case 3:
		recv(fd, bytes, step >> 3, MSG_DONTWAIT);
		break;
	case 4:
		peers_kick(&rig->peers, step >> 3);
		break;
	default:
		rig_turn(rig);
	}
}

static void fuzz_peers(const uint8_t *data, size_t size)
{
	struct rig rig;
	size_t i;

	rig_open(&rig);
	for (i = 0; i < size && i < 64; i++)
		rig_step(&rig, data[i]);
	rig_turn(&rig);
	if (rig.peers.nr > rig.peers.limit)
		abort();
	rig_close(&rig);
}

static void fuzz_control(char *line)
{
	struct rig rig;
	struct subject subject = { &rig.peers, &rig.memory, &rig.turns };
	size_t length;
	char *answer;

	rig_open(&rig);
	rig_join(&rig, 0);
	rig_join(&rig, 1);
	answer = status_answer(line, &subject, &length);
	if (!answer || strlen(answer) != length)
		abort();
	free(answer);
	rig_close(&rig);
}

/* The input lies over a good state, at an offset that it says itself. */
static void fuzz_state(const uint8_t *data, size_t size)
{
	struct rig rig;
	struct state *adopted;
	size_t at, bytes = sizeof(struct state) + NR_SLOTS * sizeof(struct state_peer);

	if (size < 4)
		return;
	rig_open(&rig);
	rig_join(&rig, 0);
	memcpy(&at, "\0\0\0\0\0\0\0", sizeof(at));
	memcpy(&at, data, 3);
	for (size_t i = 3; i < size; i++)
		((uint8_t *)rig.peers.state)[(at + i) % bytes] = data[i];
	adopted = state_adopt(rig.state_fd);
	if (adopted) {
		struct peers peers;

		if (peers_init(&peers, &rig.options, adopted, rig.epoll_fd,
			       rig.memory.fd))
			abort();
		/* No descriptor was kept: every peer is lost, and said to be. */
		if (peers_adopt(&peers) || peers.nr)
			abort();
		peers_free(&peers);
		munmap(adopted, bytes);
	}
	/* Whatever is there now, the size is not what is to be unmapped by. */
	rig.peers.state->nr_slots = NR_SLOTS;
	for (unsigned int i = 0; i < rig.peers.nr; i++)
		rig.peers.peer[i]->state = &rig.peers.state->peer[0];
	rig_close(&rig);
}

static void fuzz_keeper(char *text)
{
	static struct keeper keeper;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		char *copy = strdup(text);

		keeper_obey(&keeper, copy, i < 2 ? dup(0) : -1);
		free(copy);
	}
	while (keeper.nr)
		keeper_remove(&keeper, keeper.kept[0].name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size < 1)
		return 0;
	text = calloc(1, size);
	memcpy(text, data + 1, size - 1);
	switch (data[0] % 5) {
	case 0:
		fuzz_options(text, size - 1);
		break;
	case 1:
		fuzz_control(text);
		break;
	case 2:
		fuzz_state(data + 1, size - 1);
		break;
	case 3:
		fuzz_keeper(text);
		break;
	default:
		fuzz_peers(data + 1, size - 1);
	}
	free(text);
	return 0;
}
