/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * libivshmem: shared memory and doorbells between virtual machines.
 *
 * A program in a guest, or on the host, opens a device, maps a region of its shared memory, rings peers,
 * and binds vectors to be woken when a peer rings it:
 *
 *     struct ivsh_device *device = ivsh_device_open(NULL);
 *     struct ivsh_region *region = ivsh_region_map(device, 0, 0, 0);
 *     struct ivsh_vector *vector = ivsh_vector_bind(device, 0);
 *
 *     strcpy(ivsh_region_address(region), "hello");
 *     ivsh_device_ring(device, peer, 0);
 *     ivsh_vector_wait(vector, -1, NULL);
 *
 * Errors. Functions that return int return 0, or -1 with errno set; those that
 * return a pointer return NULL with errno set. Each errno has one meaning:
 *
 *   EACCES      no permission for the device node, or the device was opened
 *               read-only and the call would write
 *   EBUSY       the vector is bound already on this open device
 *   ECONNREFUSED  nobody serves the socket, or the server refuses us: it says
 *               why in its log
 *   ECONNRESET  the server closed the connection
 *   EINVAL      an argument is outside its range
 *   EINTR       a signal handler ran while waiting
 *   ENODEV      the device is gone: unplugged, or unbound from its driver.
 *               Unbind, unmap and close what was opened on it. Touching a
 *               region of it raises SIGBUS
 *   ENOENT      there is no such device (is ivshmem_guest loaded?), socket or
 *               file
 *   ENOSPC      a limit is reached: of open devices that bind one vector, or of
 *               inotify watches of this user
 *   ENOTCONN    no such peer is connected, or it has no such vector; only host
 *               peers know
 *   ENOTTY      the named file is not an ivshmem device, nor memory
 *   ENOTUNIQ    no name was given, and there is more than one device
 *   EOPNOTSUPP  the device does not offer this: a plain device has no doorbell
 *               and no vectors, and no device of a guest tells of its peers
 *   EPROTO      what the server sends is not the protocol of ivshmem servers
 *   ETIMEDOUT   the time ran out
 *
 * and ENOMEM, EMFILE and ENFILE when the system has no more to give.
 *
 * Threads. Different objects may be used by different threads at the same time.
 * ivsh_device_ring(), ivsh_device_get_info(), ivsh_device_fd() and all
 * functions that map, bind or wait may be called on one device by several
 * threads at once, and each peer event is given to one of them; only ivsh_device_close() may not run beside any other call
 * on the same device. One vector is waited for by one thread at a time.
 *
 * Ownership. What is "owned by the caller" is released by the named function;
 * what is "borrowed" must not be. The device must be closed last.
 *
 * Processes. After fork() parent and child share one open device: a vector that
 * one of them unbinds is unbound for both. A child opens its own.
 *
 * The library has no global state, prints nothing, and installs no signal
 * handlers, but for ivsh_region_guard(). A peer may write any byte of the shared memory at any time.
 */
#ifndef IVSHMEM_H
#define IVSHMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ivsh_device;
struct ivsh_info;
struct ivsh_peer_event;
struct ivsh_region;
struct ivsh_vector;

/* The last peer and vector that a doorbell can address. */
#define IVSH_PEER_MAX 65535
#define IVSH_VECTOR_MAX 255

/* --- device: an open ivshmem device, or what does for one on the host ---- */

/**
 * Open a device for reading and writing.
 *
 * In a guest, name is a device node ("/dev/ivshmem0"), an index ("0"), a PCI
 * address ("0000:00:04.0" or "00:04.0"), or NULL for the only device there is.
 *
 * On the host, name is "unix:" and the path of an ivshmem server's socket: the
 * program becomes a peer of the guests, with an ID of its own. Opening again is
 * always a new peer. The server has 10 seconds for its greeting. Each vector of
 * each peer takes a file descriptor: see RLIMIT_NOFILE in getrlimit(2).
 *
 * Or name is "shm:" and the name of a POSIX shared memory object, "file:" and
 * the path of a file, or a path to a file: memory that ivshmem-plain devices
 * share, without interrupts.
 *
 * Returns a device owned by the caller, released with ivsh_device_close().
 * Fails with EACCES, ECONNREFUSED, ECONNRESET, EINVAL (the name is none of
 * these, or too long for a socket), ENODEV, ENOENT, ENOTTY, ENOTUNIQ, EPROTO,
 * ETIMEDOUT.
 */
struct ivsh_device *ivsh_device_open(const char *name);

/**
 * Open a device for reading only: regions must be mapped IVSH_READ_ONLY, and
 * ivsh_device_ring() fails with EACCES. Otherwise as ivsh_device_open().
 */
struct ivsh_device *ivsh_device_open_read_only(const char *name);

/** Close a device. NULL is ignored. Regions and vectors must be gone before. */
void ivsh_device_close(struct ivsh_device *device);

/**
 * Returns the device's file descriptor, borrowed, valid until the device is
 * closed. It polls POLLHUP | POLLERR when the device is gone. That of a host
 * peer polls readable when there may be a peer event, and never hangs up.
 */
int ivsh_device_fd(const struct ivsh_device *device);

/**
 * Returns the path of the node that was opened, on the host the name by which
 * it was opened; borrowed, valid until the device is closed.
 */
const char *ivsh_device_path(const struct ivsh_device *device);

/**
 * Ring a vector of a peer: write the doorbell once.
 *
 * peer is 0 to IVSH_PEER_MAX (the own ID is allowed), vector 0 to
 * IVSH_VECTOR_MAX. A ring to an absent peer or vector is dropped by the device
 * without an error, but is ENOTCONN for a host peer; several rings of one
 * vector may arrive as one.
 *
 * Where the registers can be mapped (ivsh_info_has_mapped_regs()) this is one
 * store, else a system call. With the store, a ring in the moment in which the
 * device goes may be dropped without an error; the next one fails.
 * Fails with EACCES, EINVAL, ENODEV, ENOTCONN, EOPNOTSUPP.
 */
int ivsh_device_ring(struct ivsh_device *device, uint32_t peer,
		     uint32_t vector);

/* --- info: what a device is, at the time of asking ---------------------- */

/** How the mappings of a device are cached. */
enum ivsh_page_attr {
	IVSH_PAGE_ATTR_UNKNOWN = 0,
	IVSH_PAGE_ATTR_WB = 1, /* write-back: normal memory */
	IVSH_PAGE_ATTR_WC = 2, /* write-combining */
	IVSH_PAGE_ATTR_UC = 3, /* uncached */
};

/**
 * Ask what the device is.
 *
 * Returns an info owned by the caller, released with ivsh_info_free(); it does
 * not change afterwards and may outlive the device. Fails with ENODEV.
 */
struct ivsh_info *ivsh_device_get_info(struct ivsh_device *device);

/** Release an info. NULL is ignored. */
void ivsh_info_free(struct ivsh_info *info);

/** Bytes of shared memory. */
uint64_t ivsh_info_shmem_size(const struct ivsh_info *info);

/** Whether peers can be rung; else the device is a plain one. */
bool ivsh_info_has_doorbell(const struct ivsh_info *info);

/** Whether ivsh_device_ring() is a store, if the device is open for writing. */
bool ivsh_info_has_mapped_regs(const struct ivsh_info *info);

/** The number by which peers ring this device (IVPosition); 0 when plain. */
uint32_t ivsh_info_own_id(const struct ivsh_info *info);

/** Vectors that can fire on this device: 0 to 256, 0 when plain. */
uint32_t ivsh_info_nr_vectors(const struct ivsh_info *info);

/** PCI revision of the device: 1 since QEMU 2.6; 0 on the host. */
uint32_t ivsh_info_revision(const struct ivsh_info *info);

/** How the device's mappings are cached, as in effect. */
enum ivsh_page_attr ivsh_info_page_attr(const struct ivsh_info *info);

/**
 * Grows by one each time that firings may have been lost while the device
 * stayed, as when the guest resumed from sleep.
 */
uint64_t ivsh_info_generation(const struct ivsh_info *info);

/**
 * Whether somebody else can make the memory shorter: touching a region beyond
 * its new end raises SIGBUS. It is false in a guest, and on the host for memory
 * that is sealed (F_SEAL_SHRINK), as that of ivshmemd is unless it has a name.
 */
bool ivsh_info_may_shrink(const struct ivsh_info *info);

/* --- region: a mapped range of the shared memory ------------------------- */

/** Map without the right to write. */
#define IVSH_READ_ONLY 1u

/**
 * Map a range of the shared memory.
 *
 * offset is in bytes, a multiple of the page size; length is in bytes, or 0
 * for all that follows offset; flags is 0 or IVSH_READ_ONLY.
 *
 * Returns a region owned by the caller, released with ivsh_region_unmap().
 * Fails with EACCES, EINVAL (also when the range ends beyond the shared
 * memory), ENODEV.
 */
struct ivsh_region *ivsh_region_map(struct ivsh_device *device,
				    uint64_t offset, uint64_t length,
				    unsigned int flags);

/** Unmap a region. NULL is ignored. */
void ivsh_region_unmap(struct ivsh_region *region);

/** Returns the first byte, borrowed, valid until the region is unmapped. */
void *ivsh_region_address(const struct ivsh_region *region);

/** Bytes in the region. */
size_t ivsh_region_size(const struct ivsh_region *region);

/**
 * Guard a region: an access after the device has gone does not raise SIGBUS.
 *
 * The first such access puts private memory of zeros in the place of the whole
 * region, and goes on there: reads give what was written since, and nobody else
 * sees it. From then on ivsh_region_is_lost() is true. A guard ends when the
 * region is unmapped. To guard a region twice is to guard it once.
 *
 * With the first guard of a process the library installs a handler of SIGBUS,
 * with the last it puts back the one before. The handler calls that one for any
 * SIGBUS that is not of a guarded region. A program that installs a handler
 * later must do the same, or the guards are off. It fails only for want of
 * memory.
 */
int ivsh_region_guard(struct ivsh_region *region);

/** Whether a guarded region was touched after its device had gone. */
bool ivsh_region_is_lost(const struct ivsh_region *region);

/**
 * Make a dma-buf of a range of the shared memory, for a graphics, video or
 * network device to work on.
 *
 * offset and length are in bytes, multiples of the page size; a length of 0 is
 * all that follows offset.
 *
 * Returns a file descriptor, close-on-exec, owned by the caller, released with
 * close(); it lives on when the device is closed. When the device goes away its
 * mappings raise SIGBUS, and importers are refused with ENODEV.
 *
 * Fails with EOPNOTSUPP on a host, and in a guest whose shared memory has no
 * struct pages (see ivshmem_guest(4)); EACCES on a device opened for reading
 * only; EINVAL (also when the range ends beyond the shared memory), ENODEV.
 */
int ivsh_device_export_dmabuf(struct ivsh_device *device, uint64_t offset,
			      uint64_t length);

/* --- monitor: devices that come and go ------------------------------------- */

struct ivsh_monitor;

/** What happened to a device node. */
enum ivsh_change {
	IVSH_CHANGE_UNKNOWN = 0, /* some were missed: look at all devices */
	IVSH_CHANGE_ADDED = 1,
	IVSH_CHANGE_REMOVED = 2,
	IVSH_CHANGE_RIGHTS = 3, /* other owner or mode: an open may succeed now */
};

/**
 * Watch for devices that come and go, from now on.
 *
 * To miss none, open the monitor, then look for a device, then wait. Needs no
 * privilege. Returns a monitor owned by the caller, released with
 * ivsh_monitor_close(). Fails with ENOSPC.
 */
struct ivsh_monitor *ivsh_monitor_open(void);

/** Close a monitor. NULL is ignored. */
void ivsh_monitor_close(struct ivsh_monitor *monitor);

/**
 * Returns a file descriptor that polls readable when there may be a change;
 * borrowed, valid until the monitor is closed. Then call ivsh_monitor_wait()
 * with timeout 0 until it says ETIMEDOUT.
 */
int ivsh_monitor_fd(const struct ivsh_monitor *monitor);

/**
 * Wait for the next change of a device. timeout_ns is in nanoseconds; 0 does
 * not wait, -1 waits for ever. *path is the node, "" when the change is
 * unknown; borrowed, valid until the next call on this monitor.
 * Fails with EINTR, EINVAL (timeout_ns below -1), ETIMEDOUT.
 */
int ivsh_monitor_wait(struct ivsh_monitor *monitor, int64_t timeout_ns,
		      enum ivsh_change *change, const char **path);

/* --- vector: to be woken by peers ----------------------------------------- */

/**
 * Bind a vector: from now on its firings are counted for the caller.
 *
 * number is 0 to ivsh_info_nr_vectors() - 1. A firing before this call is not
 * seen; look at the shared memory once after binding. A vector can be bound
 * once on one open device, and by any number of them.
 *
 * Returns a vector owned by the caller, released with ivsh_vector_unbind().
 * Fails with EBUSY, EINVAL, ENODEV, ENOSPC, EOPNOTSUPP.
 */
struct ivsh_vector *ivsh_vector_bind(struct ivsh_device *device,
				     uint32_t number);

/** Unbind a vector. NULL is ignored. */
void ivsh_vector_unbind(struct ivsh_vector *vector);

/**
 * Returns a file descriptor that polls readable when the vector fired or the
 * device is gone, for epoll and the like; borrowed, valid until the vector is
 * unbound. After it polled readable call ivsh_vector_clear(); do not read it,
 * since that of a host peer is shared with the peers, and may block.
 */
int ivsh_vector_fd(const struct ivsh_vector *vector);

/** The number by which the vector was bound. */
uint32_t ivsh_vector_number(const struct ivsh_vector *vector);

/**
 * Wait until the vector fires, and clear it.
 *
 * timeout_ns is in nanoseconds; 0 does not wait, -1 waits for ever. The number
 * of interrupts since the vector was last cleared, at least 1, is stored in
 * *count unless count is NULL. Rings coalesce: one interrupt may stand for
 * several.
 * Fails with EINTR, EINVAL (timeout_ns below -1), ENODEV, ETIMEDOUT.
 */
int ivsh_vector_wait(struct ivsh_vector *vector, int64_t timeout_ns,
		     uint64_t *count);

/**
 * Clear the vector without waiting. *count, unless count is NULL, is the
 * number of interrupts since it was last cleared, and may be 0.
 * Fails with ENODEV.
 */
int ivsh_vector_clear(struct ivsh_vector *vector, uint64_t *count);

/** How a vector wakes. The values are those of the driver. */
enum ivsh_vector_mode {
	IVSH_VECTOR_NORMAL = 0,		/* at each interrupt, as when bound */
	IVSH_VECTOR_MASKED = 1,		/* at none */
	IVSH_VECTOR_ONE_SHOT = 2,	/* at the next one, which masks it */
};

/**
 * Mask a vector, or unmask it, or arm it for one firing.
 *
 * What fires while it is masked is not lost: the vector fires for all of it
 * when it is unmasked or armed again. While every program that has the
 * device open masks the vector, rings cost this machine nothing. The end of the
 * device wakes in spite of a mask.
 * Fails with EINVAL (there is no such mode), ENODEV, EOPNOTSUPP (a peer on the
 * host: there is no driver that could mask).
 */
int ivsh_vector_set_mode(struct ivsh_vector *vector,
			 enum ivsh_vector_mode mode);

/* --- waiting for any of several vectors ------------------------------------ */

/** A set of vectors 0 to IVSH_VECTOR_MAX. { 0 } is empty. Plain data. */
struct ivsh_vector_set {
	uint64_t words[(IVSH_VECTOR_MAX + 1) / 64];
};

/** Add a vector; one above IVSH_VECTOR_MAX is not added. */
void ivsh_vector_set_add(struct ivsh_vector_set *set, uint32_t vector);

/** Whether the vector is in the set. */
bool ivsh_vector_set_contains(const struct ivsh_vector_set *set,
			      uint32_t vector);

/**
 * Wait, in one system call, until any of the vectors fires.
 *
 * timeout_ns is in nanoseconds; 0 does not wait, -1 waits for ever. Those that
 * fired since the device was opened, or since the last call that returned them,
 * are stored in *fired unless fired is NULL; it may be the same as vectors.
 * Nothing needs to be bound, and what is bound counts apart from this. Several
 * threads may wait: each firing is returned to one of them.
 * Fails with EINTR, EINVAL (the set is empty or has a vector that is not there,
 * or timeout_ns is below -1), ENODEV, EOPNOTSUPP (a plain device, or a peer on
 * the host, which polls the descriptors of its vectors), ETIMEDOUT.
 */
int ivsh_device_wait(struct ivsh_device *device,
		     const struct ivsh_vector_set *vectors, int64_t timeout_ns,
		     struct ivsh_vector_set *fired);

/* --- stats: what was counted since the driver bound the device -------------- */

struct ivsh_stats;

/**
 * Ask what the vectors have counted, for all programs together.
 *
 * Returns stats owned by the caller, released with ivsh_stats_free(); they do
 * not change afterwards and may outlive the device. Fails with ENODEV, EOPNOTSUPP
 * (a peer on the host: no driver counts there).
 */
struct ivsh_stats *ivsh_device_get_stats(struct ivsh_device *device);

/** Release stats. NULL is ignored. */
void ivsh_stats_free(struct ivsh_stats *stats);

/** Vectors that were counted. Of others all counts are 0. */
uint32_t ivsh_stats_nr_vectors(const struct ivsh_stats *stats);

/** Interrupts. Who remembers it can tell that he missed some. */
uint64_t ivsh_stats_fired(const struct ivsh_stats *stats, uint32_t vector);

/** Eventfds signalled: for each interrupt one for each program that bound it. */
uint64_t ivsh_stats_delivered(const struct ivsh_stats *stats, uint32_t vector);

/** Times that a mask kept an interrupt from a program, for the time being. */
uint64_t ivsh_stats_suppressed(const struct ivsh_stats *stats, uint32_t vector);

/** Times that the vector was off for some milliseconds, as it fired too fast. */
uint64_t ivsh_stats_backoffs(const struct ivsh_stats *stats, uint32_t vector);

/* --- peer events: who joins and leaves; on the host only ------------------ */

/** What happened. */
enum ivsh_peer_event_type {
	/** A peer is there, or has more vectors than was told before. */
	IVSH_PEER_JOINED = 1,
	/** A peer that was told of has left. */
	IVSH_PEER_LEFT = 2,
	/**
	 * The connection to the server is lost: no more will be heard of peers.
	 * Memory, rings and vectors of those that are there go on working.
	 */
	IVSH_SERVER_LOST = 3,
};

/**
 * Wait for the next event of another peer.
 *
 * timeout_ns is in nanoseconds; 0 does not wait, -1 waits for ever. Those that
 * were there before us come first, as having joined. What nobody has asked for
 * is kept once for each peer, however long: a peer that came and left in
 * between is not told of. After ivsh_device_fd() polled readable there may be
 * an event, or none (ETIMEDOUT).
 *
 * A device of a guest does not know of its peers, and plain memory has none:
 * EOPNOTSUPP.
 *
 * Returns an event owned by the caller, released with ivsh_peer_event_free().
 * Fails with EINTR, EINVAL (timeout_ns below -1), ENODEV (the server is lost,
 * and this has been told), EOPNOTSUPP, ETIMEDOUT.
 */
struct ivsh_peer_event *ivsh_device_wait_peer_event(struct ivsh_device *device,
						    int64_t timeout_ns);

/** Release an event. NULL is ignored. */
void ivsh_peer_event_free(struct ivsh_peer_event *event);

/** What happened. */
enum ivsh_peer_event_type ivsh_peer_event_type(
	const struct ivsh_peer_event *event);

/** The peer's ID; 0 for IVSH_SERVER_LOST. */
uint32_t ivsh_peer_event_peer(const struct ivsh_peer_event *event);

/** The vectors by which the peer can be rung: 1 to 256 if it has joined. */
uint32_t ivsh_peer_event_nr_vectors(const struct ivsh_peer_event *event);

/**
 * Why the server was lost: ECONNRESET (it closed the connection), EMFILE (no
 * file descriptor was left for a peer's vector) or EPROTO; else 0.
 */
int ivsh_peer_event_error(const struct ivsh_peer_event *event);

#ifdef __cplusplus
}
#endif

#endif /* IVSHMEM_H */
