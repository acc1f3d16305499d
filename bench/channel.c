// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The benchmark of channels: two processes on one machine, on memory that they
 * share. Prints one JSON object for each case and round; bench/run starts it
 * and makes a report of them.
 *
 *     channel stream CASE SIZE ROUNDS     ns a message, by the consumer's clock
 *     channel latency CASE ROUNDS         half a round trip, 8 bytes
 *     channel cost CASE SIZE COUNT        nothing but COUNT sends and receives,
 *                                         for callgrind
 *
 * The consumer stamps chunks of messages, and the quantiles are over chunks:
 * the mean of a busy machine says nothing. Each message is checked.
 */
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "../selftests/host/channel_memory.h"

#define RING (1u << 20)
#define BATCH 64
#define MAX_SIZE 65536
#define CHUNKS 200

/* --- a ring that checks nothing, to compare with -------------------------- */

struct reference {
	struct {
		uint64_t position;
		char line[120];
	} head, tail;
	char page[4096 - 256];
	unsigned char data[RING];
};

struct reference_end {
	struct reference *ring;
	uint64_t position, limit, published;
};

static __attribute__((noinline)) void
reference_send(struct reference_end *end, const struct iovec *messages,
	       size_t count)
{
	struct reference *ring = end->ring;

	for (size_t i = 0; i < count; i++) {
		size_t length = messages[i].iov_len;

		while (end->limit - end->position < length)
			end->limit = RING + __atomic_load_n(
				&ring->tail.position, __ATOMIC_ACQUIRE);
		memcpy(ring->data + end->position % RING, messages[i].iov_base,
		       length);
		end->position += length;
		if (end->position - end->published >= RING / 8) {
			end->published = end->position;
			__atomic_store_n(&ring->head.position, end->position,
					 __ATOMIC_RELEASE);
		}
	}
	end->published = end->position;
	__atomic_store_n(&ring->head.position, end->position, __ATOMIC_RELEASE);
}

static __attribute__((noinline)) size_t
reference_receive(struct reference_end *end, struct iovec *buffers,
		  size_t count)
{
	struct reference *ring = end->ring;
	size_t i;

	for (i = 0; i < count; i++) {
		size_t length = buffers[i].iov_len;

		if (end->limit == end->position) {
			end->limit = __atomic_load_n(&ring->head.position,
						     __ATOMIC_ACQUIRE);
			if (end->limit == end->position) {
				if (i)
					break;
				__atomic_store_n(&ring->tail.position,
						 end->position,
						 __ATOMIC_RELEASE);
				i--;
				continue;
			}
		}
		memcpy(buffers[i].iov_base, ring->data + end->position % RING,
		       length);
		end->position += length;
		if (end->position - end->published >= RING / 8) {
			end->published = end->position;
			__atomic_store_n(&ring->tail.position, end->position,
					 __ATOMIC_RELEASE);
		}
	}
	return i;
}

/* --- the cases ----------------------------------------------------------- */

enum kind { RECORDS, SLOTS, PLACE, REFERENCE, SOCKET, PIPE, NR_KINDS };

static const char *const kind_names[] = {
	"records", "slots", "place", "reference", "socket", "pipe",
};

/* One direction; made before the fork, used by one side each. */
struct path {
	enum kind kind;
	size_t size;
	const char *name;
	void *memory;
	struct bells *bells;
	struct bell bell;
	enum ivsh_waiting waiting;
	struct ivsh_directory *directory;
	struct ivsh_channel *channel;
	struct reference_end reference;
	bool peeked;
	int fds[2];
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void path_make(struct path *path)
{
	if (path->kind == SOCKET &&
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, path->fds))
		die("socketpair");
	if (path->kind == PIPE && pipe(path->fds))
		die("pipe");
	if (path->kind == REFERENCE)
		path->reference.ring = memory_new(sizeof(struct reference));
	if (path->kind == REFERENCE)
		path->reference.limit = 0;
}

/* A directory for each process; both directions are in it. */
static void path_open(struct path *path, enum ivsh_role role,
		      struct ivsh_directory *directory)
{
	if (path->kind > PLACE)
		return;
	path->directory = directory;
	path->channel = ivsh_channel_open(
		directory, path->name, role, RING,
		path->kind == SLOTS ? path->size : 0, 0);
	if (!path->channel)
		die("channel");
}

static struct ivsh_directory *join(struct path *path, const char *name,
				   unsigned int id)
{
	struct ivsh_directory *directory;

	if (path->kind > PLACE)
		return NULL;
	directory = ivsh_directory_open(path->memory, MEMORY_SIZE, name, 0);
	if (!directory)
		die("directory");
	ivsh_directory_set_waiting(directory, path->waiting);
	if (path->bells)
		use_bell(directory, &path->bell, path->bells, id);
	return directory;
}

static void send_in_place(struct path *path, const struct iovec *messages,
			  size_t count)
{
	for (size_t i = 0; i < count; i++) {
		void *place;

		while (!(place = ivsh_channel_reserve(path->channel,
						      messages[i].iov_len)))
			if (ivsh_channel_wait(path->channel, -1))
				die("wait");
		/* Made in place: this is the making. */
		memcpy(place, messages[i].iov_base, messages[i].iov_len);
		ivsh_channel_commit(path->channel, messages[i].iov_len);
	}
	ivsh_channel_flush(path->channel);
}

static void send_all(struct path *path, const struct iovec *messages,
		     size_t count)
{
	if (path->kind == REFERENCE) {
		reference_send(&path->reference, messages, count);
	} else if (path->kind == PLACE) {
		send_in_place(path, messages, count);
	} else if (path->kind < PLACE) {
		if (ivsh_channel_send_many(path->channel, messages, count, -1,
					   NULL))
			die("send");
	} else {
		for (size_t i = 0; i < count; i++)
			if (write(path->fds[1], messages[i].iov_base,
				  messages[i].iov_len) < 0)
				die("write");
	}
}

static void read_all(int fd, void *buffer, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t got = read(fd, (char *)buffer + at, size - at);

		if (got <= 0)
			die("read");
		at += (size_t)got;
	}
}

/* A look at every line, as a reader in place takes. */
static uint64_t sum_lines(const unsigned char *at, size_t size)
{
	uint64_t sum = 0, word;

	for (size_t i = 0; i + 8 <= size; i += 64) {
		__builtin_prefetch(at + i + 1024);
		memcpy(&word, at + i, 8);
		sum += word;
	}
	return sum;
}

static volatile uint64_t sink;

/* Read in place; it is released when the next is asked for. */
static size_t receive_in_place(struct path *path, struct iovec *buffer)
{
	const void *place;

	if (path->peeked && ivsh_channel_release(path->channel))
		die("release");
	while (!(place = ivsh_channel_peek(path->channel, &buffer->iov_len)))
		if (errno != EAGAIN || ivsh_channel_wait(path->channel, -1))
			die("peek");
	path->peeked = true;
	buffer->iov_base = (void *)place;
	sink += sum_lines(place, buffer->iov_len);
	return 1;
}

static size_t receive_some(struct path *path, struct iovec *buffers,
			   size_t count)
{
	size_t received = 1;

	if (path->kind == REFERENCE)
		return reference_receive(&path->reference, buffers, count);
	if (path->kind == PLACE)
		return receive_in_place(path, buffers);
	if (path->kind < PLACE) {
		if (ivsh_channel_receive_many(path->channel, buffers, count,
					      -1, &received))
			die("receive");
		return received;
	}
	read_all(path->fds[0], buffers[0].iov_base, path->size);
	return 1;
}

/* --- a stream ------------------------------------------------------------ */

static unsigned char *payload;

static void make_buffers(struct iovec buffers[BATCH], size_t size)
{
	payload = malloc(BATCH * size);
	memset(payload, 0xff, BATCH * size);	/* no page faults later */
	for (size_t i = 0; i < BATCH; i++)
		buffers[i] = (struct iovec){ payload + i * size, size };
}

static void put_number(void *at, uint64_t number)
{
	memcpy(at, &number, 8);
}

static void check_number(const void *at, uint64_t wanted)
{
	uint64_t number;

	memcpy(&number, at, 8);
	if (number != wanted) {
		fprintf(stderr, "message %" PRIu64 " where %" PRIu64 " should be\n",
			number, wanted);
		exit(1);
	}
}

/* Messages of a chunk: less than half a millisecond, if it can be. */
static uint64_t chunk_of(size_t size)
{
	uint64_t count = (4u << 20) / size;

	return count > 65536 ? 65536 : count;
}

static void produce(struct path *path, uint64_t count)
{
	struct iovec messages[BATCH];

	make_buffers(messages, path->size);
	for (uint64_t n = 0; n < count; n += BATCH) {
		for (uint64_t i = 0; i < BATCH; i++) {
			put_number(messages[i].iov_base, n + i);
			put_number((char *)messages[i].iov_base + path->size - 8,
				   n + i);
		}
		send_all(path, messages, BATCH);
	}
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void consume(struct path *path, uint64_t count, double *chunk_ns)
{
	uint64_t chunk = chunk_of(path->size), in_chunk = 0, n = 0;
	struct iovec buffers[BATCH];
	int64_t start = 0, now;
	size_t at = 0;

	make_buffers(buffers, path->size);
	while (n < count) {
		size_t received = receive_some(path, buffers, BATCH);

		for (size_t i = 0; i < received; i++, n++) {
			check_number(buffers[i].iov_base, n);
			check_number((char *)buffers[i].iov_base + path->size - 8,
				     n);
			buffers[i].iov_len = path->size;
		}
		in_chunk += received;
		if (in_chunk < chunk)
			continue;
		now = ivsh_now_ns();
		if (start && at < CHUNKS)
			chunk_ns[at++] = (double)(now - start) / in_chunk;
		start = now;
		in_chunk = 0;
	}
	while (at < CHUNKS)
		chunk_ns[at++] = 1e18;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void print_stream(const struct path *path, int round, double *ns,
			 const uint64_t counters[3], uint64_t count)
{
	size_t half = 0;

	qsort(ns, CHUNKS, sizeof(*ns), compare);
	while (half < CHUNKS && ns[half] < 1e17)
		half++;
	printf("{\"case\":\"stream\",\"kind\":\"%s\",\"size\":%zu,\"round\":%d,"
	       "\"p05_ns\":%.2f,\"p50_ns\":%.2f,\"messages\":%" PRIu64
	       ",\"doorbells\":%" PRIu64 ",\"sleeps\":%" PRIu64 "}\n",
	       kind_names[path->kind], path->size, round, ns[half / 20],
	       ns[half / 2], count, counters[1], counters[2]);
	fflush(stdout);
}

static void stream(enum kind kind, size_t size, int round, bool doorbell)
{
	/* The alternatives are slow: a dozen chunks of them will do. */
	uint64_t count = chunk_of(size) * (kind >= SOCKET ? 12 :
					   size < 4096 ? CHUNKS / 4 : CHUNKS);
	uint64_t *counters = memory_new(4096);
	static double ns[CHUNKS];
	struct bells bells;
	struct path path = {
		.kind = kind, .size = size, .name = "stream",
		.memory = memory_new(MEMORY_SIZE),
		.waiting = IVSH_WAIT_ADAPTIVE,
	};
	int status;
	pid_t child;

	count -= count % BATCH;
	if (doorbell) {
		bells_open(&bells);
		path.bells = &bells;
	}
	path_make(&path);
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pin(1);
		path_open(&path, IVSH_PRODUCER, join(&path, "producer", 1));
		produce(&path, count);
		for (int i = 0; path.channel && i < 3; i++)
			counters[i] = ivsh_channel_count(path.channel, i);
		_exit(0);
	}
	pin(0);
	path_open(&path, IVSH_CONSUMER, join(&path, "consumer", 0));
	consume(&path, count, ns);
	waitpid(child, &status, 0);
	if (status)
		exit(1);
	for (int i = 0; path.channel && i < 3; i++)
		counters[i] += ivsh_channel_count(path.channel, i);
	print_stream(&path, round, ns, counters, count);
	munmap(path.memory, MEMORY_SIZE);
}

/* --- latency ------------------------------------------------------------- */

#define TRIPS 20000

/* A line that two processors hand to each other: the least there can be. */
static void line_trip(uint64_t *line, uint64_t wanted, uint64_t next)
{
	while (__atomic_load_n(line, __ATOMIC_ACQUIRE) != wanted)
		__builtin_ia32_pause();
	__atomic_store_n(line, next, __ATOMIC_RELEASE);
}

static void one_trip(struct path *out, struct path *in, uint64_t number,
		     bool first)
{
	uint64_t value = number;
	struct iovec message = { &value, 8 };

	if (first)
		send_all(out, &message, 1);
	receive_some(in, &message, 1);
	check_number(&value, number);
	if (!first)
		send_all(out, &message, 1);
}

static void open_both(struct path path[2], bool first)
{
	struct ivsh_directory *directory =
		join(&path[0], first ? "first" : "second", first);

	path_open(&path[0], first ? IVSH_PRODUCER : IVSH_CONSUMER, directory);
	path_open(&path[1], first ? IVSH_CONSUMER : IVSH_PRODUCER, directory);
}

static void print_latency(const char *kind, const char *waiting, int round,
			  double *ns, size_t count)
{
	qsort(ns, count, sizeof(*ns), compare);
	printf("{\"case\":\"latency\",\"kind\":\"%s\",\"waiting\":\"%s\","
	       "\"round\":%d,\"p05_ns\":%.1f,\"p50_ns\":%.1f,\"p99_ns\":%.1f}\n",
	       kind, waiting, round, ns[count / 20], ns[count / 2],
	       ns[count * 99 / 100]);
	fflush(stdout);
}

static double trip_ns[TRIPS];

static void latency_line(int round)
{
	uint64_t *line = memory_new(4096);
	int64_t start;
	pid_t child = fork();

	pin(child ? 0 : 1);
	for (uint64_t i = 0; i < TRIPS; i++) {
		start = ivsh_now_ns();
		if (child) {
			line_trip(line, 2 * i, 2 * i + 1);
			while (__atomic_load_n(line, __ATOMIC_ACQUIRE) == 2 * i + 1)
				__builtin_ia32_pause();
		} else {
			line_trip(line, 2 * i + 1, 2 * i + 2);
		}
		trip_ns[i] = (double)(ivsh_now_ns() - start) / 2;
	}
	if (!child)
		_exit(0);
	waitpid(child, NULL, 0);
	print_latency("line", "poll", round, trip_ns, TRIPS);
}

static void latency(enum kind kind, enum ivsh_waiting waiting, int round)
{
	static const char *const names[] = { "adaptive", "poll", "sleep" };
	size_t trips = waiting == IVSH_WAIT_POLL ? TRIPS : TRIPS / 10;
	struct bells bells;
	struct path path[2] = {
		{ .kind = kind, .size = 8, .name = "there", .waiting = waiting,
		  .memory = memory_new(MEMORY_SIZE) },
		{ .kind = kind, .size = 8, .name = "back" },
	};
	bool first;
	int64_t start;
	pid_t child;

	if (waiting != IVSH_WAIT_POLL) {
		bells_open(&bells);
		path[0].bells = &bells;
	}
	path_make(&path[0]);
	path_make(&path[1]);
	child = fork();
	first = child != 0;
	pin(first ? 0 : 1);
	open_both(path, first);
	for (size_t i = 0; i < trips; i++) {
		start = ivsh_now_ns();
		one_trip(&path[!first], &path[first], i, first);
		trip_ns[i] = (double)(ivsh_now_ns() - start) / 2;
	}
	if (!child)
		_exit(0);
	waitpid(child, NULL, 0);
	print_latency(kind_names[kind], names[waiting], round, trip_ns, trips);
}

/* --- the cost of a message ------------------------------------------------ */

static void cost(enum kind kind, size_t size, uint64_t count)
{
	struct path in, out = {
		.kind = kind, .size = size, .name = "cost",
		.memory = memory_new(MEMORY_SIZE),
	};
	struct iovec messages[BATCH];

	path_make(&out);
	in = out;
	path_open(&out, IVSH_PRODUCER, join(&out, "a", 0));
	path_open(&in, IVSH_CONSUMER, join(&in, "b", 0));
	make_buffers(messages, size);
	for (uint64_t n = 0; n < count; n += BATCH) {
		send_all(&out, messages, BATCH);
		for (size_t got = 0; got < BATCH;)
			got += receive_some(&in, messages, BATCH - got);
	}
}

static enum kind parse_kind(const char *name)
{
	for (int i = 0; i < NR_KINDS; i++)
		if (!strcmp(kind_names[i], name))
			return i;
	fprintf(stderr, "channel: %s: no such kind\n", name);
	exit(2);
}

static int usage(void)
{
	fputs("usage: channel stream KIND SIZE ROUND [doorbell]\n"
	      "       channel latency line|KIND poll|sleep|adaptive ROUND\n"
	      "       channel cost KIND SIZE COUNT\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	size_t size;

	if (argc < 5)
		return usage();
	if (!strcmp(argv[1], "latency")) {
		if (!strcmp(argv[2], "line"))
			latency_line(atoi(argv[4]));
		else
			latency(parse_kind(argv[2]),
				!strcmp(argv[3], "poll") ? IVSH_WAIT_POLL :
				!strcmp(argv[3], "sleep") ? IVSH_WAIT_SLEEP :
				IVSH_WAIT_ADAPTIVE, atoi(argv[4]));
		return 0;
	}
	size = strtoul(argv[3], NULL, 10);
	if (size < 8 || size > MAX_SIZE || size % 8)
		return usage();
	if (!strcmp(argv[1], "stream"))
		stream(parse_kind(argv[2]), size, atoi(argv[4]), argc > 5);
	else if (!strcmp(argv[1], "cost"))
		cost(parse_kind(argv[2]), size, strtoul(argv[4], NULL, 10));
	else
		return usage();
	return 0;
}
