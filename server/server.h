/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ivshmemd's own header: one section for each file, in the order in which a
 * connection passes through them. Calls go down: main.c calls everything, the
 * listener hands sockets to the peers, a peer owns a queue. Single thread.
 */
#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* --- log.c --------------------------------------------------------------- */

#define LOG_FORMAT(a, b) __attribute__((format(printf, a, b)))

void log_set_verbose(bool verbose);
void log_to_syslog(void);
void log_error(const char *format, ...) LOG_FORMAT(1, 2);
/* What a peer can provoke: at most a few lines a second. */
void log_warn(const char *format, ...) LOG_FORMAT(1, 2);
void log_notice(const char *format, ...) LOG_FORMAT(1, 2);
/* Only with -v. */
void log_info(const char *format, ...) LOG_FORMAT(1, 2);

/* --- options.c, value.c -------------------------------------------------- */

#define DEFAULT_SOCKET "/tmp/ivshmem_socket"
#define MAX_ALLOWED 64

struct allowed {
	unsigned int nr;
	unsigned int id[MAX_ALLOWED];	/* of users, or of groups */
};

struct limits {
	unsigned int budget;		/* eventfds one peer may have to hold */
	unsigned int max_per_uid;	/* peers, or 0: no limit */
	unsigned int stall_timeout_s;
	struct allowed uids, gids;	/* both empty: everybody */
};

struct options {
	const char *socket_path;
	mode_t socket_mode;
	gid_t socket_group;		/* or (gid_t)-1 */
	const char *pid_file;		/* or NULL */
	const char *shm_name;		/* POSIX shared memory, or NULL */
	const char *memory_dir;		/* or NULL; never both */
	bool hugetlb;
	uint64_t huge_page_size;	/* or 0: the host's usual one */
	uint64_t size;			/* as asked: memory.c rounds it */
	unsigned int nr_vectors;
	struct limits limits;
	bool announce_leave;
	bool sparse;
	bool foreground;
	bool verbose;
};

/* Exits by itself on -h, --version (0) and on a usage error (2). */
void options_parse(struct options *options, int argc, char **argv);

/* These exit with a usage error when the text is no such value. */
unsigned int value_number(const char *option, const char *text,
			  unsigned int min, unsigned int max);
uint64_t value_size(const char *option, const char *text);
bool value_yes(const char *option, const char *text);
mode_t value_mode(const char *option, const char *text);
uid_t value_user(const char *option, const char *text);
gid_t value_group(const char *option, const char *text);
_Noreturn void usage_error(const char *what, const char *value,
			   const char *why);

/* --- daemon.c ------------------------------------------------------------ */

/* Forks; the parent stays in here until daemon_ready(), then exits. */
int daemon_start(void);
int daemon_write_pid_file(const char *path);
int daemon_ready(void);
void daemon_remove_pid_file(void);

/* --- memory.c ------------------------------------------------------------ */

struct memory {
	int fd;
	uint64_t size;
	const char *unlink_name;	/* POSIX name, if we made it */
};

int memory_open(struct memory *memory, const struct options *options);
void memory_close(struct memory *memory);

/* --- socket.c ------------------------------------------------------------ */

struct named_socket {
	const char *path;
	int fd;
	dev_t dev;		/* of the socket's name, to unlink only ours */
	ino_t ino;
};

int socket_check_path(const char *path);
/* Replaces what a killed server left, and nothing else. */
int socket_open(struct named_socket *named, const char *path, int type,
		mode_t mode, gid_t group);
void socket_unlink(const struct named_socket *named);

/* --- listener.c ---------------------------------------------------------- */

struct listener {
	struct named_socket socket;
	char *lock_path;
	int lock_fd;
	int reserve_fd;		/* given up to refuse when out of descriptors */
	bool paused;		/* accept() failed: try again by timer */
};

/* Claims the path against other instances; touches nothing else. */
int listener_lock(struct listener *listener, const char *path);
int listener_open(struct listener *listener, const struct options *options);
/* Returns a connection, or -1 when there is none to be had now. */
int listener_accept(struct listener *listener);
void listener_close(struct listener *listener);

/* --- queue.c ------------------------------------------------------------- */

struct peer;

struct message {
	int64_t value;
	int fd;				/* or -1 */
	const struct peer *owner;	/* of the fd; NULL: the memory, or none */
};

/* First in, first out. What is queued has not been sent in any part. */
struct queue {
	struct message *ring;
	unsigned int head;
	unsigned int count;
	unsigned int size;
};

int queue_push(struct queue *queue, int64_t value, int fd,
	       const struct peer *owner);
/* Takes back the messages with this owner's fds; returns how many. */
unsigned int queue_cancel(struct queue *queue, const struct peer *owner);
/* Returns 0 when all is sent, else the errno that stopped it. */
int queue_send(struct queue *queue, int sock, unsigned int *sent);
void queue_free(struct queue *queue);

/* --- peer.c -------------------------------------------------------------- */

#define NR_IDS 65536

struct peer {
	uint16_t id;
	struct ucred cred;	/* of whoever connected */
	unsigned int held;	/* peers whose eventfds it has, or will have */
	int sock;
	int *eventfds;		/* nr_vectors of them */
	struct queue queue;
	int64_t progress_ms;	/* when the queue last moved, or was empty */
	bool writable_wanted;	/* EPOLLOUT is set */
	bool retry;		/* the system is short of something: by timer */
	bool doomed;		/* leaves at the next peers_reap() */
};

struct peers {
	struct peer **peer;	/* in the order of their IDs */
	unsigned int nr;
	unsigned int limit;
	unsigned int nr_vectors;
	uint32_t next_id;
	int epoll_fd;
	int memory_fd;
	const struct options *options;
};

int peers_init(struct peers *peers, const struct options *options,
	       int epoll_fd, int memory_fd);
/* Takes the socket: it becomes a peer, or is refused. */
void peers_join(struct peers *peers, int sock);
void peers_event(struct peers *peers, struct peer *peer, uint32_t events);
/* Retries what waits for time, and dooms those that stand still. */
void peers_tick(struct peers *peers);
/* Milliseconds until peers_tick() is wanted, or -1. */
int peers_timeout(const struct peers *peers);
/* Removes the doomed and tells the others. No peer pointer survives this. */
void peers_reap(struct peers *peers);
void peers_free(struct peers *peers);
/* Says no in a way that QEMU understands, and closes the socket. */
void peer_refuse(int sock, const char *why);

/* --- limits.c ------------------------------------------------------------ */

/* Why this connection may not become a peer, or NULL. */
const char *limits_obstacle(const struct limits *limits,
			    const struct peers *peers, int sock,
			    const struct ucred *cred);

#endif
