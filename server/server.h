/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ivshmemd's own header: one section for each file, in the order in which a
 * connection passes through them. Calls go down: main.c calls everything, the
 * listener hands sockets to the peers, a peer owns a queue; the control socket
 * only asks. Single thread.
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
	bool keeper;
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
/* False unless the whole text is a number from min to max. */
bool is_number(const char *text, int base, unsigned int min, unsigned int max,
	       unsigned int *number);
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
/* Goes on with the one of another server, which made this name or none. */
int memory_adopt(struct memory *memory, int fd, const char *unlink_name,
		 const struct options *options);
void memory_close(struct memory *memory, bool final);

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
/* Remembers which file has the name now. */
int socket_identify(struct named_socket *named);
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
/* Goes on with a socket that another process made, if there is one. */
bool listener_adopt(struct listener *listener);
/* Returns a connection, or -1 when there is none to be had now. */
int listener_accept(struct listener *listener);
/* Its files go too, if they are ours. */
void listener_close(struct listener *listener, bool final);

/* --- store.c ------------------------------------------------------------- */

/* As many as have room in one variable of the environment. */
#define STORE_MAX 14000

/* Whether somebody keeps descriptors for us: systemd, or a keeper. */
bool store_is_there(void);
/* Fails if the manager does not read what it is sent. */
int store_add(const char *name, int fd);
/* Now, or by store_flush(), which is false as long as there is more. */
void store_remove(const char *name);
bool store_flush(void);
bool store_answers(void);
void store_say_ready(void);
/* Once, at the start; then what was kept is taken by its name, or -1. */
int store_receive(void);
bool store_has(const char *name);
int store_take(const char *name);
int store_take_listener(int type);
void store_drop_rest(void);

/* --- keeper.c ------------------------------------------------------------ */

/* Runs the server in a child, again and again. Returns our exit status. */
int keeper_run(const struct options *options, char **argv);

/* --- state.c ------------------------------------------------------------- */

#define NR_IDS 65536
#define STATE_FORMAT 1
#define BATCH 64

enum message_kind { MESSAGE_GREETING, MESSAGE_VECTOR, MESSAGE_LEAVE };

/* What a message means for its receiver, once it has been sent. */
struct flight_step {
	uint32_t id;
	uint16_t kind;
	uint16_t number;	/* of the vector; of messages in the greeting */
};

/* The messages that are being sent, to one peer. */
struct flight {
	uint32_t nr;
	uint32_t slot;
	struct flight_step step[BATCH];
	struct mmsghdr header[BATCH];
};

enum stage {
	STAGE_FREE,
	STAGE_JOINING,	/* nothing has been sent yet: to be completed */
	STAGE_MEMBER,	/* all are to know it; free again, all are to forget it */
};

struct state_peer {
	uint32_t stage;
	uint32_t id;
	struct ucred cred;	/* of whoever connected */
	int64_t since;		/* seconds of the epoch */
	char program[64];
	uint64_t sent;		/* messages */
	uint32_t greeted;	/* messages of the greeting, of 3 */
	uint32_t partial_id;	/* which is being told, and so far with ... */
	uint32_t partial;	/* ... so many vectors; 0: none is */
	uint8_t told[NR_IDS / 8];	/* the IDs that it knows */
};

struct state {
	char magic[16];
	uint32_t format;
	uint32_t nr_slots;
	uint32_t nr_vectors;
	uint32_t next_id;
	uint32_t restarts;
	int64_t since;
	char shm_name[256];	/* that we made, or empty */
	uint64_t joins, leaves, refused, kicked, stalled;
	struct flight flight;
	struct state_peer peer[];
};

struct state *state_create(unsigned int nr_slots, unsigned int nr_vectors,
			   int *fd);
/* NULL unless it is a sound one. */
struct state *state_adopt(int fd);
bool state_knows(const struct state_peer *peer, uint32_t id);
void state_tell(struct state_peer *peer, uint32_t id);
unsigned int state_count_told(const struct state_peer *peer);
void state_end_partial(struct state_peer *peer, uint32_t id);
/* Notes what of the flight was sent; returns how many messages. */
unsigned int flight_land(struct state *state);

/* --- queue.c ------------------------------------------------------------- */

struct peer;

struct message {
	int64_t value;
	int fd;				/* or -1 */
	struct flight_step step;
	const struct peer *owner;	/* of the fd; NULL: the memory, or none */
};

/* First in, first out. What is queued has not been sent in any part. */
struct queue {
	struct message *ring;
	unsigned int head;
	unsigned int count;
	unsigned int size;
};

int queue_push(struct queue *queue, const struct message *message);
/* Takes back the messages with this owner's fds; returns how many. */
unsigned int queue_cancel(struct queue *queue, const struct peer *owner);
/* Sends a batch. Returns 0 when that is sent, else the errno that stopped it. */
int queue_send(struct queue *queue, int sock, struct state *state,
	       unsigned int slot, unsigned int *sent);
void queue_free(struct queue *queue);

/* --- peer.c: one peer ---------------------------------------------------- */

struct peer {
	uint16_t id;
	struct state_peer *state;
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
	struct state *state;
	int epoll_fd;
	int memory_fd;
	const struct options *options;
};

int64_t now_ms(void);
/* Takes a slot of the state, and makes eventfds; NULL with errno if not. */
struct peer *peer_new(struct peers *peers, int sock, const struct ucred *cred);
/* The peer of a slot that another server left, or NULL. */
struct peer *peer_adopt(struct peers *peers, struct state_peer *state);
void peer_close(struct peers *peers, struct peer *peer);
void peer_free(struct peers *peers, struct peer *peer);
/* Gives all back that is kept for it elsewhere. */
void peer_forget(struct peers *peers, struct peer *peer);
void peer_doom(struct peer *peer, const char *why);
/* Whatever it was not told of itself; then of another peer; then of a leave. */
int peer_queue_greeting(struct peers *peers, struct peer *peer);
int peer_queue_vectors(struct peers *peers, struct peer *peer,
		       const struct peer *owner);
int peer_queue_leave(struct peer *peer, uint16_t id);
void peer_flush(struct peers *peers, struct peer *peer);
void peers_event(struct peers *peers, struct peer *peer, uint32_t events);
/* Says no in a way that QEMU understands, and closes the socket. */
void peer_refuse(int sock, const char *why);

/* --- peers.c: all of them ------------------------------------------------ */

int peers_init(struct peers *peers, const struct options *options,
	       struct state *state, int epoll_fd, int memory_fd);
/* Goes on where another server ended, and tells what it had yet to tell. */
int peers_adopt(struct peers *peers);
/* Takes the socket: it becomes a peer, or is refused. */
void peers_join(struct peers *peers, int sock);
/* Retries what waits for time, and dooms those that stand still. */
void peers_tick(struct peers *peers);
/* Milliseconds until peers_tick() is wanted, or -1. */
int peers_timeout(const struct peers *peers);
/* Dooms the peer with this ID; false if there is none. */
bool peers_kick(struct peers *peers, uint32_t id);
/* Removes the doomed and tells the others. No peer pointer survives this. */
void peers_reap(struct peers *peers);
void peers_free(struct peers *peers);

/* --- limits.c ------------------------------------------------------------ */

/* Peers that there may be: the budget, divided by the vectors. */
unsigned int limits_peers(const struct options *options,
			  unsigned int nr_vectors);
/* Why this connection may not become a peer, or NULL. */
const char *limits_obstacle(const struct limits *limits,
			    const struct peers *peers, int sock,
			    const struct ucred *cred);

/* --- status.c ------------------------------------------------------------ */

/* How an answer begins that is none. */
#define ERROR_REPLY "error: "

#define TURN_MAX_US 10000

/* A turn is the work between two waits: for so long a peer waits for others. */
struct turns {
	uint64_t nr;
	uint64_t slow;		/* more than TURN_MAX_US of the processor */
	uint64_t longest_us, longest_cpu_us;
};

/* What there is to tell of. */
struct subject {
	struct peers *peers;
	const struct memory *memory;
	const struct turns *turns;
};

/*
 * What the line asks for, as text to be freed; NULL: no memory. It may reap: no
 * peer pointer survives this.
 */
char *status_answer(const char *line, const struct subject *subject,
		    size_t *length);

/* --- control.c ----------------------------------------------------------- */

#define CONTROL_SUFFIX ".control"
#define CONTROL_CLIENTS 4

struct control_client {
	int sock;		/* or -1 */
	uint64_t turn;		/* the least is the oldest */
	char line[64];		/* what it asks */
	size_t length;
	char *reply;		/* or NULL: it has not asked yet */
	size_t reply_length, sent;
};

struct control {
	struct named_socket socket;
	char *path;		/* or NULL: the service manager's */
	int epoll_fd;
	struct subject subject;
	bool pending;		/* somebody may wait to be accepted */
	uint64_t turn;
	struct control_client clients[CONTROL_CLIENTS];
};

void control_init(struct control *control, const struct subject *subject);
/* Beside the listener's, unless the service manager has given one. */
void control_open(struct control *control, const struct listener *listener,
		  int epoll_fd, int given_fd);
/* Whether an event of epoll is one of ours: then to control_event(). */
bool control_is_source(const struct control *control, const void *source);
/* As status_answer(), it may reap. */
void control_event(struct control *control, void *source);
void control_accept(struct control *control);
void control_close(struct control *control);

/* --- ask.c --------------------------------------------------------------- */

/* "ivshmemd status", "ivshmemd kick ID": returns the exit status. */
int ask_main(int argc, char **argv);

#endif
