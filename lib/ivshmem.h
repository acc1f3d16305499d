/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * libivshmem: shared memory and doorbells between virtual machines.
 *
 * A program opens a device, maps a region of its shared memory, rings peers,
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
 *   EINVAL      an argument is outside its range
 *   EINTR       a signal handler ran while waiting
 *   ENODEV      the device is gone: unplugged, or unbound from its driver.
 *               Unbind, unmap and close what was opened on it. Touching a
 *               region of it raises SIGBUS
 *   ENOENT      there is no such device (is ivshmem_guest loaded?)
 *   ENOSPC      as many open devices as the driver allows have bound the vector
 *   ENOTTY      the named file is not an ivshmem device
 *   ENOTUNIQ    no name was given, and there is more than one device
 *   EOPNOTSUPP  the device does not offer this: a plain device has no doorbell
 *               and no vectors
 *   ETIMEDOUT   the time ran out
 *
 * and ENOMEM, EMFILE and ENFILE when the system has no more to give.
 *
 * Threads. Different objects may be used by different threads at the same time.
 * ivsh_device_ring(), ivsh_device_get_info(), ivsh_device_fd() and all
 * functions that map, bind or wait may be called on one device by several
 * threads at once; only ivsh_device_close() may not run beside any other call
 * on the same device. One vector is waited for by one thread at a time.
 *
 * Ownership. What is "owned by the caller" is released by the named function;
 * what is "borrowed" must not be. The device must be closed last.
 *
 * Processes. After fork() parent and child share one open device: a vector that
 * one of them unbinds is unbound for both. A child opens its own.
 *
 * The library has no global state, prints nothing, and installs no signal
 * handlers. A peer may write any byte of the shared memory at any time.
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
struct ivsh_region;
struct ivsh_vector;

/* The last peer and vector that a doorbell can address. */
#define IVSH_PEER_MAX 65535
#define IVSH_VECTOR_MAX 255

/* --- device: an open ivshmem device ------------------------------------ */

/**
 * Open a device for reading and writing.
 *
 * name is a device node ("/dev/ivshmem0"), an index ("0"), a PCI address
 * ("0000:00:04.0" or "00:04.0"), or NULL for the only device there is.
 *
 * Returns a device owned by the caller, released with ivsh_device_close().
 * Fails with EACCES, EINVAL (the name is none of these), ENODEV, ENOENT,
 * ENOTTY, ENOTUNIQ.
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
 * closed. It polls POLLHUP | POLLERR when the device is gone.
 */
int ivsh_device_fd(const struct ivsh_device *device);

/**
 * Returns the path of the node that was opened, borrowed, valid until the
 * device is closed.
 */
const char *ivsh_device_path(const struct ivsh_device *device);

/**
 * Ring a vector of a peer: write the doorbell once.
 *
 * peer is 0 to IVSH_PEER_MAX (the own ID is allowed), vector 0 to
 * IVSH_VECTOR_MAX. A ring to an absent peer or vector is dropped by the device
 * without an error; several rings of one vector may arrive as one.
 * Fails with EACCES, EINVAL, ENODEV, EOPNOTSUPP.
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

/** The number by which peers ring this device (IVPosition); 0 when plain. */
uint32_t ivsh_info_own_id(const struct ivsh_info *info);

/** Vectors that can fire on this device: 0 to 256, 0 when plain. */
uint32_t ivsh_info_nr_vectors(const struct ivsh_info *info);

/** PCI revision of the device: 1 since QEMU 2.6. */
uint32_t ivsh_info_revision(const struct ivsh_info *info);

/** How the device's mappings are cached, as in effect. */
enum ivsh_page_attr ivsh_info_page_attr(const struct ivsh_info *info);

/**
 * Grows by one each time that firings may have been lost while the device
 * stayed, as when the guest resumed from sleep.
 */
uint64_t ivsh_info_generation(const struct ivsh_info *info);

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
 * unbound. After it polled readable call ivsh_vector_clear().
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

#ifdef __cplusplus
}
#endif

#endif /* IVSHMEM_H */
