// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The benchmark of channels: two processes on one machine, on memory that they
 * share. Prints one JSON object for each case and round; bench/run starts it
 * and makes a report of them.
 *
 *     channel stream CASE SIZE BATCH ROUND    ns a message, by the consumer's clock
 *     channel fanin CASE SIZE SENDERS ROUND   the same, from several to one
 *     channel latency CASE WAITING ROUND      half a round trip, 8 bytes
 *     channel cost CASE SIZE COUNT            nothing but COUNT sends and
 *                                             receives, for callgrind
 *
 * The consumer stamps chunks of messages, and the quantiles are over chunks:
 * the mean of a busy machine says nothing. Each message is checked.
 */
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "path.h"

#define BATCH 64
#define MAX_SIZE 65536
#define CHUNKS 200

/* Messages that are handed to a call at once. */
static size_t batch = BATCH;

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

static void check_messages(struct iovec *buffers, size_t count, size_t size,
			   uint64_t number)
{
	for (size_t i = 0; i < count; i++, number++) {
		check_number(buffers[i].iov_base, number);
		check_number((char *)buffers[i].iov_base + size - 8, number);
		buffers[i].iov_len = size;
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
	for (uint64_t n = 0; n < count; n += batch) {
		for (uint64_t i = 0; i < batch; i++) {
			put_number(messages[i].iov_base, n + i);
			put_number((char *)messages[i].iov_base + path->size - 8,
				   n + i);
		}
		send_all(path, messages, batch);
	}
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Stamps after each chunk of messages. */
struct chunks {
	uint64_t size, messages;
	int64_t start_ns;
	size_t count;
	double ns[CHUNKS];
};

static void count_chunk(struct chunks *chunks, size_t received)
{
	int64_t now;

	chunks->messages += received;
	if (chunks->messages < chunks->size)
		return;
	now = ivsh_now_ns();
	if (chunks->start_ns && chunks->count < CHUNKS)
		chunks->ns[chunks->count++] =
			(double)(now - chunks->start_ns) / chunks->messages;
	chunks->start_ns = now;
	chunks->messages = 0;
}

static void consume(struct path *path, uint64_t count, struct chunks *chunks)
{
	struct iovec buffers[BATCH];
	uint64_t n = 0;

	make_buffers(buffers, path->size);
	while (n < count) {
		size_t received = receive_some(path, buffers, batch);

		check_messages(buffers, received, path->size, n);
		n += received;
		count_chunk(chunks, received);
	}
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void print_stream(const struct path *path, const char *name, size_t many,
			 int round, struct chunks *chunks,
			 const uint64_t counters[3], uint64_t count)
{
	qsort(chunks->ns, chunks->count, sizeof(*chunks->ns), compare);
	printf("{\"case\":\"%s\",\"kind\":\"%s\",\"size\":%zu,\"many\":%zu,"
	       "\"round\":%d,\"p05_ns\":%.2f,\"p50_ns\":%.2f,\"messages\":%" PRIu64
	       ",\"doorbells\":%" PRIu64 ",\"sleeps\":%" PRIu64 "}\n",
	       name, kind_names[path->kind], path->size, many, round,
	       chunks->ns[chunks->count / 20], chunks->ns[chunks->count / 2],
	       count, counters[1], counters[2]);
	fflush(stdout);
}

static void stream(enum kind kind, size_t size, int round, bool doorbell)
{
	/* The alternatives are slow: a dozen chunks of them will do. */
	uint64_t count = chunk_of(size) * (kind >= SOCKET ? 12 :
					   size < 4096 ? CHUNKS / 4 : CHUNKS);
	uint64_t *counters = memory_new(4096);
	static struct chunks chunks;
	struct bells bells;
	struct path path = {
		.kind = kind, .size = size, .name = "stream",
		.memory = memory_new(MEMORY_SIZE),
		.waiting = IVSH_WAIT_ADAPTIVE,
	};
	int status;
	pid_t child;

	count -= count % batch;
	chunks.size = chunk_of(size);
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
	consume(&path, count, &chunks);
	waitpid(child, &status, 0);
	if (status)
		exit(1);
	for (int i = 0; path.channel && i < 3; i++)
		counters[i] += ivsh_channel_count(path.channel, i);
	print_stream(&path, "stream", batch, round, &chunks, counters, count);
	munmap(path.memory, MEMORY_SIZE);
}

/* --- several to one ------------------------------------------------------- */

#define MAX_SENDERS 8

static void open_sender(struct path *paths, size_t number)
{
	static char names[MAX_SENDERS][32];

	snprintf(names[number], sizeof(names[number]), "sender%zu", number);
	paths[number] = paths[0];
	paths[number].name = names[number];
}

static pid_t start_sender(struct path *path, uint64_t count, unsigned int id)
{
	pid_t child = fork();

	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pin(1);
	path_open(path, IVSH_PRODUCER, join(path, path->name, id));
	produce(path, count);
	_exit(0);
}

/* All senders' messages; each is checked by its own count. */
static void consume_all(struct path *paths, size_t senders, uint64_t count,
			struct chunks *chunks)
{
	uint64_t numbers[MAX_SENDERS] = { 0 }, left = count * senders;
	struct ivsh_channel *ready;
	struct iovec buffers[BATCH];
	size_t i, received;

	make_buffers(buffers, paths[0].size);
	while (left) {
		ready = ivsh_directory_wait(paths[0].directory, -1);
		for (i = 0; i < senders && paths[i].channel != ready; i++)
			;
		/* A sender that is done has closed its end of the channel. */
		if (!ready || i == senders ||
		    ivsh_channel_receive_many(ready, buffers, batch, 0, &received))
			die("receive");
		check_messages(buffers, received, paths[0].size, numbers[i]);
		numbers[i] += received;
		left -= received;
		count_chunk(chunks, received);
	}
}

static void fan_in(enum kind kind, size_t size, size_t senders, int round)
{
	uint64_t count = chunk_of(size) * (CHUNKS / 4) / senders;
	static struct chunks chunks;
	struct ivsh_directory *directory;
	struct path paths[MAX_SENDERS] = { {
		.kind = kind, .size = size, .memory = memory_new(MEMORY_SIZE),
		.ring = RING / 4, .waiting = IVSH_WAIT_ADAPTIVE,
	} };
	uint64_t counters[3] = { 0 };
	struct bells bells;
	int status;

	count -= count % batch;
	chunks.size = chunk_of(size);
	bells_open(&bells);
	paths[0].bells = &bells;
	for (size_t i = 0; i < senders; i++)
		open_sender(paths, i);
	directory = join(&paths[0], "consumer", 0);
	for (size_t i = 0; i < senders; i++)
		path_open(&paths[i], IVSH_CONSUMER, directory);
	for (size_t i = 0; i < senders; i++)
		start_sender(&paths[i], count, (unsigned int)i + 1);
	pin(0);
	consume_all(paths, senders, count, &chunks);
	for (size_t i = 0; i < senders; i++)
		if (wait(&status) < 0 || status)
			exit(1);
	for (size_t i = 0; i < senders; i++)
		for (int j = 0; j < 3; j++)
			counters[j] += ivsh_channel_count(paths[i].channel, j);
	print_stream(&paths[0], "fanin", senders, round, &chunks, counters,
		     count * senders);
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
	fputs("usage: channel stream KIND SIZE BATCH ROUND [doorbell]\n"
	      "       channel fanin KIND SIZE SENDERS ROUND\n"
	      "       channel latency line|KIND poll|sleep|adaptive ROUND\n"
	      "       channel cost KIND SIZE COUNT\n", stderr);
	return 2;
}

static void run_latency(char **argv)
{
	if (!strcmp(argv[2], "line"))
		latency_line(atoi(argv[4]));
	else
		latency(parse_kind(argv[2]),
			!strcmp(argv[3], "poll") ? IVSH_WAIT_POLL :
			!strcmp(argv[3], "sleep") ? IVSH_WAIT_SLEEP :
			IVSH_WAIT_ADAPTIVE, atoi(argv[4]));
}

int main(int argc, char **argv)
{
	size_t size, many;

	if (argc < 5)
		return usage();
	size = strtoul(argv[3], NULL, 10);
	many = strtoul(argv[4], NULL, 10);
	if (!strcmp(argv[1], "latency")) {
		run_latency(argv);
	} else if (size < 8 || size > MAX_SIZE || size % 8) {
		return usage();
	} else if (!strcmp(argv[1], "cost")) {
		cost(parse_kind(argv[2]), size, many);
	} else if (!strcmp(argv[1], "stream") && argc > 5 && many && many <= BATCH) {
		batch = many;
		stream(parse_kind(argv[2]), size, atoi(argv[5]), argc > 6);
	} else if (!strcmp(argv[1], "fanin") && argc > 5 && many &&
		   many <= MAX_SENDERS) {
		fan_in(parse_kind(argv[2]), size, many, atoi(argv[5]));
	} else {
		return usage();
	}
	return 0;
}
