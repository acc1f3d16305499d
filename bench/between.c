// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The benchmark between two guests: a channel over their ivshmem device, and
 * what they would use without it. bench/guests runs one side in each guest.
 *
 *     between stream KIND SIZE COUNT send|receive [ADDRESS]
 *     between latency KIND 8 COUNT first|second [ADDRESS]
 *
 * KIND is channel (waiting as by default), channel-poll, channel-sleep, tcp
 * (each message a write of its own), tcp-batch (as many as a channel takes at
 * once) or serial, serial-batch (a virtio-serial port, at /dev/serial). ADDRESS, of the one who
 * listens, is for TCP. The receiver or the first prints one JSON line: quantiles
 * over chunks of messages, or over round trips. Each message is checked.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <ivshmem_channel.h>

#define RING (1u << 20)
#define MAX_BATCH 64u
#define MAX_SIZE 65536u
#define PORT 5555
#define SERIAL "/dev/serial"
#define CHUNK (256u << 10)

struct path {
	const char *kind;
	size_t size, batch;
	int fd;			/* of what is no channel */
	struct ivsh_directory *directory;
	struct ivsh_channel *out, *in;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static bool kind_is(const struct path *path, const char *start)
{
	return !strncmp(path->kind, start, strlen(start));
}

/* --- opening ------------------------------------------------------------- */

static void open_directory(struct path *path, const char *name)
{
	struct ivsh_device *device = ivsh_device_open(NULL);
	struct ivsh_region *region;
	struct ivsh_vector *vector;

	if (!device)
		die("device");
	region = ivsh_region_map(device, 0, 0, 0);
	vector = ivsh_vector_bind(device, 0);
	if (!region || !vector)
		die("region or vector");
	path->directory = ivsh_directory_open(ivsh_region_address(region),
					      ivsh_region_size(region), name,
					      IVSH_TAKE_OVER);
	if (!path->directory)
		die("directory");
	if (ivsh_directory_use_doorbell(path->directory, device, vector))
		die("doorbell");
	ivsh_directory_set_waiting(
		path->directory,
		kind_is(path, "channel-poll") ? IVSH_WAIT_POLL :
		kind_is(path, "channel-sleep") ? IVSH_WAIT_SLEEP :
		IVSH_WAIT_ADAPTIVE);
}

static struct ivsh_channel *open_channel(struct path *path, const char *name,
					 enum ivsh_role role)
{
	struct ivsh_channel *channel = ivsh_channel_open(
		path->directory, name, role, RING, 0, IVSH_TAKE_OVER);

	if (!channel)
		die("channel");
	return channel;
}

static int listen_tcp(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(PORT),
	};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(fd, 1))
		die("listen");
	return accept(fd, NULL, NULL);
}

static int connect_tcp(const char *name)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(PORT),
	};
	int fd;

	inet_pton(AF_INET, name, &address.sin_addr);
	while ((fd = socket(AF_INET, SOCK_STREAM, 0)) >= 0 &&
	       connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		if (errno != ECONNREFUSED)
			die("connect");
		close(fd);
		usleep(10000);
	}
	return fd;
}

/* One side of both directions; in a stream the first sends. */
static void path_open(struct path *path, bool first, const char *address)
{
	int one = 1;

	if (kind_is(path, "channel")) {
		open_directory(path, first ? "first" : "second");
		path->out = open_channel(path, first ? "there" : "back",
					 IVSH_PRODUCER);
		path->in = open_channel(path, first ? "back" : "there",
					IVSH_CONSUMER);
		return;
	}
	path->fd = kind_is(path, "serial") ? open(SERIAL, O_RDWR) :
		   address ? connect_tcp(address) : listen_tcp();
	if (path->fd < 0)
		die(path->kind);
	if (kind_is(path, "tcp") && path->size == 8)
		setsockopt(path->fd, IPPROTO_TCP, TCP_NODELAY, &one,
			   sizeof(one));
}

/*
 * Not closed: the other side of the next run would take that for its own end.
 * The next run takes over.
 */
static void path_leave(struct path *path)
{
	if (path->directory)
		ivsh_channel_flush(path->in);
	else
		close(path->fd);
}

/* --- moving -------------------------------------------------------------- */

static void write_all(int fd, struct iovec *messages, size_t count)
{
	while (count) {
		ssize_t written = writev(fd, messages, (int)count);

		if (written < 0)
			die("write");
		while (count && (size_t)written >= messages->iov_len) {
			written -= (ssize_t)messages->iov_len;
			messages++;
			count--;
		}
		if (count) {
			messages->iov_base = (char *)messages->iov_base + written;
			messages->iov_len -= (size_t)written;
		}
	}
}

static void send_batch(struct path *path, struct iovec *messages, size_t count)
{
	if (path->directory) {
		if (ivsh_channel_send_many(path->out, messages, count, -1, NULL))
			die("send");
	} else if (strstr(path->kind, "batch")) {
		write_all(path->fd, messages, count);
	} else {
		for (size_t i = 0; i < count; i++)
			write_all(path->fd, &messages[i], 1);
	}
}

/* What came into one buffer, as whole messages; the rest stays for next time. */
static size_t read_some(struct path *path, unsigned char *buffer, size_t room)
{
	static size_t have;
	size_t whole;

	while (have < path->size) {
		ssize_t got = read(path->fd, buffer + have, room - have);

		if (got <= 0)
			die("read");
		have += (size_t)got;
	}
	whole = have / path->size;
	have -= whole * path->size;
	return whole;
}

static size_t receive_some(struct path *path, struct iovec *buffers,
			   size_t count)
{
	size_t received;

	if (!path->directory)
		return read_some(path, buffers[0].iov_base, count * path->size);
	if (ivsh_channel_receive_many(path->in, buffers, count, -1, &received))
		die("receive");
	return received;
}

/* --- messages ------------------------------------------------------------ */

/* The number, at the start of each KiB and at the end. */
static void number_message(unsigned char *message, size_t size, uint64_t number)
{
	for (size_t at = 0; at < size; at += 1024)
		memcpy(message + at, &number, 8);
	memcpy(message + size - 8, &number, 8);
}

static void check_message(const unsigned char *message, size_t size,
			  uint64_t number)
{
	bool right = !memcmp(message + size - 8, &number, 8);

	for (size_t at = 0; right && at < size; at += 1024)
		right = !memcmp(message + at, &number, 8);
	if (right)
		return;
	fprintf(stderr, "message %" PRIu64 " is another\n", number);
	exit(1);
}

static unsigned char *make_buffers(struct iovec *buffers, size_t count,
				   size_t size)
{
	unsigned char *memory = calloc(count + 1, size);

	if (!memory)
		die("memory");
	for (size_t i = 0; i < count; i++)
		buffers[i] = (struct iovec){ memory + i * size, size };
	return memory;
}

static void stream_out(struct path *path, uint64_t count)
{
	struct iovec messages[MAX_BATCH];
	unsigned char *memory = make_buffers(messages, path->batch, path->size);

	for (uint64_t n = 0; n < count; n += path->batch) {
		for (size_t i = 0; i < path->batch; i++) {
			messages[i] = (struct iovec){ memory + i * path->size,
						      path->size };
			number_message(messages[i].iov_base, path->size, n + i);
		}
		send_batch(path, messages, path->batch);
	}
}

/* --- measuring ----------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void print(const char *what, const struct path *path, double *ns,
		  size_t count, double mean)
{
	qsort(ns, count, sizeof(*ns), compare);
	printf("{\"case\":\"%s\",\"kind\":\"%s\",\"size\":%zu,"
	       "\"p05_ns\":%.1f,\"p50_ns\":%.1f,\"mean_ns\":%.1f",
	       what, path->kind, path->size, ns[count / 20], ns[count / 2],
	       mean);
	for (int i = 0; path->in && i < 3; i++)
		printf(",\"%s\":%" PRIu64,
		       (const char *const[]){ "published", "doorbells",
					      "sleeps" }[i],
		       ivsh_channel_count(path->in, (enum ivsh_counter)i));
	printf("}\n");
}

/* The start is the first chunk's end: so that nobody waits for anybody. */
static void stream_in(struct path *path, uint64_t count)
{
	uint64_t chunk = CHUNK / path->size < 16 ? 16 : CHUNK / path->size;
	double *ns = calloc(count / chunk + 1, sizeof(*ns));
	uint64_t n = 0, stamped = 0, first = 0;
	int64_t begin = 0, start = 0, now = 0;
	struct iovec buffers[MAX_BATCH];
	size_t at = 0;

	make_buffers(buffers, path->batch, path->size);
	while (n < count) {
		size_t received = receive_some(path, buffers, path->batch);

		for (size_t i = 0; i < received; i++, n++) {
			check_message((unsigned char *)buffers[0].iov_base +
				      i * path->size, path->size, n);
			buffers[i].iov_len = path->size;
		}
		/* What is left of a message, at the start of the buffer. */
		if (!path->directory)
			memmove(buffers[0].iov_base,
				(char *)buffers[0].iov_base +
				received * path->size, path->size);
		if (n - stamped < chunk)
			continue;
		now = now_ns();
		if (start)
			ns[at++] = (double)(now - start) / (double)(n - stamped);
		else
			begin = now, first = n;
		start = now;
		stamped = n;
	}
	print("stream", path, ns, at,
	      (double)(now - begin) / (double)(stamped - first));
}

static void pass(struct path *path, uint64_t number, bool out)
{
	unsigned char message[8];
	struct iovec buffer = { message, sizeof(message) };

	if (out) {
		number_message(message, sizeof(message), number);
		send_batch(path, &buffer, 1);
	} else {
		receive_some(path, &buffer, 1);
		check_message(message, sizeof(message), number);
	}
}

static void trips(struct path *path, uint64_t count, bool first)
{
	double *ns = calloc(count, sizeof(*ns));
	int64_t begin = now_ns(), start;

	for (uint64_t i = 0; i < count; i++) {
		start = now_ns();
		pass(path, i, first);
		pass(path, i, !first);
		ns[i] = (double)(now_ns() - start);
	}
	if (first)
		print("latency", path, ns, count,
		      (double)(now_ns() - begin) / (double)count);
}

static int usage(void)
{
	fputs("usage: between stream KIND SIZE COUNT send|receive [ADDRESS]\n"
	      "       between latency KIND 8 COUNT first|second [ADDRESS]\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct path path = { .fd = -1 };
	uint64_t count;
	bool first;

	if (argc < 6)
		return usage();
	path.kind = argv[2];
	path.size = strtoul(argv[3], NULL, 10);
	count = strtoul(argv[4], NULL, 10);
	first = !strcmp(argv[5], "send") || !strcmp(argv[5], "first");
	if (path.size < 8 || path.size > MAX_SIZE || path.size % 8)
		return usage();
	/* No more than half of what the channel holds. */
	path.batch = RING / 4 / path.size < MAX_BATCH ? RING / 4 / path.size :
							MAX_BATCH;
	count -= count % path.batch;
	path_open(&path, first, argv[6]);
	if (!strcmp(argv[1], "latency"))
		trips(&path, count, first);
	else if (first)
		stream_out(&path, count);
	else
		stream_in(&path, count);
	path_leave(&path);
	return 0;
}
