/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * ivshmem_guest: the contract between /dev/ivshmemN and its users.
 *
 * A device is an inter-VM shared memory device (PCI 1af4:1110). Its shared
 * memory is mapped with mmap() at offset 0 and is shmem_size bytes long;
 * lseek(fd, 0, SEEK_END) ends there too. A doorbell device also rings peers
 * (IVSHMEM_RING) and has vectors, which fire when a peer rings them.
 *
 * A firing is a hint: firings of one vector coalesce, may be spurious, and are
 * lost while the guest sleeps. Keep state in the shared memory, and look at it
 * again after each firing and after each change of the generation.
 *
 * Every ioctl takes a pointer to a struct that begins with size and flags:
 *
 *   size    sizeof() of the struct the caller was compiled with. A driver that
 *           knows a shorter struct accepts a longer one whose rest is zero; one
 *           that knows a longer struct takes what is missing as zero.
 *   flags   none is defined yet: must be 0.
 *
 * errno, one meaning each:
 *
 *   E2BIG       the struct has non-zero bytes that this driver does not know,
 *               or is longer than a page
 *   EACCES      the file was not opened for writing (ring, writable mapping), or
 *               not for both reading and writing (dma-buf)
 *   EAGAIN      O_NONBLOCK is set, and no vector fired or another read() of this
 *               file takes what did (read)
 *   EBADF       the eventfd number is not an open file
 *   EFAULT      a pointer does not point to memory of the caller
 *   EMFILE      the process has as many open files as it may have (dma-buf)
 *   ENFILE      the system has as many open files as it may have (open, dma-buf)
 *   EINTR       a signal came before anything happened (read, wait)
 *   EINVAL      a size, peer, vector, offset or file is outside its range or of
 *               the wrong kind
 *   ENODEV      the device is gone (unplugged, unbound, or not responding);
 *               close the file. poll() says EPOLLHUP | EPOLLERR, and touching
 *               a mapping raises SIGBUS
 *   ENOMEM      the kernel has no memory left for this
 *   ENOSPC      IVSHMEM_BINDINGS_MAX files have bound this vector
 *   ENOTTY      no such ioctl in this driver
 *   EOPNOTSUPP  this device or driver does not offer it: the bit in features
 *               is 0, or a flag is unknown
 *   EPERM       mmap() was asked for an executable mapping; the kernel answers
 *               EACCES when mprotect() is
 *   ETIMEDOUT   no vector of the set fired in time (wait)
 */
#ifndef _UAPI_LINUX_IVSHMEM_GUEST_H
#define _UAPI_LINUX_IVSHMEM_GUEST_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* ioctl numbers 0x00-0x1f of this type belong to this driver. */
#define IVSHMEM_IOC_TYPE 'x'

#define IVSHMEM_INFO		_IO(IVSHMEM_IOC_TYPE, 0x00)
#define IVSHMEM_RING		_IO(IVSHMEM_IOC_TYPE, 0x01)
#define IVSHMEM_VECTOR_EVENTFD	_IO(IVSHMEM_IOC_TYPE, 0x02)
#define IVSHMEM_VECTOR_MASK	_IO(IVSHMEM_IOC_TYPE, 0x03)
#define IVSHMEM_VECTOR_STATS	_IO(IVSHMEM_IOC_TYPE, 0x04)
#define IVSHMEM_DMABUF		_IO(IVSHMEM_IOC_TYPE, 0x05)
#define IVSHMEM_WAIT		_IO(IVSHMEM_IOC_TYPE, 0x06)

/* The last peer and vector that a doorbell can address. */
#define IVSHMEM_PEER_MAX	65535
#define IVSHMEM_VECTOR_MAX	255

/* So many files can bind one vector at a time. */
#define IVSHMEM_BINDINGS_MAX	128

/* Bits of ivshmem_info.features. */
/* The device has a doorbell: IVSHMEM_RING, IVSHMEM_VECTOR_EVENTFD, read(). */
#define IVSHMEM_FEATURE_DOORBELL	(1ULL << 0)
/* The registers can be mapped, at regs_offset: a ring is a store. */
#define IVSHMEM_FEATURE_MAPPED_REGS	(1ULL << 1)
/* The ioctls of these names; every doorbell device has them. */
#define IVSHMEM_FEATURE_VECTOR_MASK	(1ULL << 2)
#define IVSHMEM_FEATURE_VECTOR_STATS	(1ULL << 3)
#define IVSHMEM_FEATURE_WAIT		(1ULL << 6)
/* IVSHMEM_DMABUF works. */
#define IVSHMEM_FEATURE_DMABUF		(1ULL << 4)
/*
 * The shared memory has struct pages: the kernel can pin a mapping (O_DIRECT,
 * registered buffers of io_uring, vmsplice, process_vm_readv), and the removal
 * of the device waits until all pins are gone. Without it such calls fail with
 * EFAULT.
 */
#define IVSHMEM_FEATURE_STRUCT_PAGES	(1ULL << 5)

/* Values of ivshmem_info.page_attr: how a user mapping is cached. */
#define IVSHMEM_PAGE_ATTR_UNKNOWN	0
#define IVSHMEM_PAGE_ATTR_WB		1	/* write-back: normal memory */
#define IVSHMEM_PAGE_ATTR_WC		2	/* write-combining */
#define IVSHMEM_PAGE_ATTR_UC		3	/* uncached */

/**
 * struct ivshmem_info - what the device is (IVSHMEM_INFO)
 * @size: in: sizeof(struct ivshmem_info)
 * @flags: in: 0
 * @features: out: IVSHMEM_FEATURE_* bits
 * @shmem_size: out: bytes of shared memory
 * @generation: out: grows by one each time that firings may have been lost
 *	while the device stayed (the guest resumed from sleep, or the device
 *	was reset)
 * @own_id: out: the IVPosition register, read now: the peer number by which
 *	others ring this device, 0 on a plain device
 * @nr_vectors: out: vectors that can fire here, 0 on a plain device
 * @revision: out: PCI revision, 1 since QEMU 2.6
 * @page_attr: out: IVSHMEM_PAGE_ATTR_* in effect for mappings
 * @regs_offset: out: where mmap() finds the registers, 0 if it does not. Absent
 *	in the first version of the struct, which ends before it
 *
 * At regs_offset, above all shared memory, lies the page of the registers, for
 * a shared mapping of one page of a file that was opened for writing. A 32-bit
 * store of peer << 16 | vector at its byte IVSHMEM_REGS_DOORBELL rings, if peer
 * and vector are in the ranges of struct ivshmem_ring; other stores may ring
 * anybody. Nothing else in the page may be written.
 *
 * The page before it, at regs_offset less the page size, is the status: read
 * only. Its last 32-bit word is 1 as long as the device is there. When the
 * device goes, the word becomes 0; then the registers leave the mappings, and a
 * page of memory that nobody looks at takes later stores: they raise no signal.
 * So look at the word before each store, and if it is 0 ring with IVSHMEM_RING,
 * for the error.
 */
struct ivshmem_info {
	__u32 size;
	__u32 flags;
	__aligned_u64 features;
	__aligned_u64 shmem_size;
	__aligned_u64 generation;
	__u32 own_id;
	__u32 nr_vectors;
	__u32 revision;
	__u32 page_attr;
	__aligned_u64 regs_offset;
};

/* Byte of the mapped registers that rings. */
#define IVSHMEM_REGS_DOORBELL	12

/**
 * struct ivshmem_ring - ring one vector of one peer (IVSHMEM_RING)
 * @size: in: sizeof(struct ivshmem_ring)
 * @flags: in: 0
 * @peer: in: 0 to IVSHMEM_PEER_MAX; the own ID is allowed
 * @vector: in: 0 to IVSHMEM_VECTOR_MAX
 *
 * Success says that the doorbell was written. A ring to an absent peer or
 * vector is dropped by the device without a word.
 */
struct ivshmem_ring {
	__u32 size;
	__u32 flags;
	__u32 peer;
	__u32 vector;
};

/**
 * struct ivshmem_vector_eventfd - bind a vector (IVSHMEM_VECTOR_EVENTFD)
 * @size: in: sizeof(struct ivshmem_vector_eventfd)
 * @flags: in: 0
 * @vector: in: 0 to nr_vectors - 1
 * @eventfd: in: an eventfd, which replaces the one this file bound before; or
 *	-1 to unbind it
 *
 * The eventfd is signalled for each interrupt that comes after the call
 * returned, and once when the device goes away. Every open file has its own
 * binding for each vector; the last close of the file drops them. A file that
 * was duplicated, inherited by fork() or sent over a socket is still one file.
 */
struct ivshmem_vector_eventfd {
	__u32 size;
	__u32 flags;
	__u32 vector;
	__s32 eventfd;
};

/* Values of ivshmem_vector_mask.mode. */
#define IVSHMEM_MASK_OFF	0	/* not masked: each interrupt signals */
#define IVSHMEM_MASK_ON		1	/* masked: none does */
#define IVSHMEM_MASK_ONE_SHOT	2	/* the next one signals, and masks */

/**
 * struct ivshmem_vector_mask - mask a vector (IVSHMEM_VECTOR_MASK)
 * @size: in: sizeof(struct ivshmem_vector_mask)
 * @flags: in: 0
 * @vector: in: 0 to nr_vectors - 1
 * @mode: in: IVSHMEM_MASK_*; a vector begins with IVSHMEM_MASK_OFF. To set
 *	IVSHMEM_MASK_ONE_SHOT again arms the vector again
 *
 * A mask is the open file's own: it keeps the eventfd of this file silent, and
 * ends when the file is closed. What fires meanwhile is not lost: when the mask
 * ends, the eventfd is signalled for all of it. Removal of the device
 * signals in spite of a mask. read() and IVSHMEM_WAIT see every interrupt.
 *
 * While all open files of the device mask the vector it is switched off, so
 * that rings cost this guest nothing. They are kept as one interrupt, or two.
 */
struct ivshmem_vector_mask {
	__u32 size;
	__u32 flags;
	__u32 vector;
	__u32 mode;
};

/**
 * struct ivshmem_vector_stats - what a vector has counted (IVSHMEM_VECTOR_STATS)
 * @size: in: sizeof(struct ivshmem_vector_stats)
 * @flags: in: 0
 * @vector: in: 0 to nr_vectors - 1
 * @nr_bindings: out: open files that have an eventfd or a mask on it
 * @fired: out: interrupts since the driver bound the device
 * @delivered: out: eventfds signalled
 * @suppressed: out: times that a file masked an interrupt
 * @backoffs: out: times that it fired faster than the driver's max_rate, and was
 *	switched off for some milliseconds
 *
 * The counts are of all files and never go back while the device stays.
 */
struct ivshmem_vector_stats {
	__u32 size;
	__u32 flags;
	__u32 vector;
	__u32 nr_bindings;
	__aligned_u64 fired;
	__aligned_u64 delivered;
	__aligned_u64 suppressed;
	__aligned_u64 backoffs;
};

/**
 * struct ivshmem_wait - wait for any of a set of vectors (IVSHMEM_WAIT)
 * @size: in: sizeof(struct ivshmem_wait)
 * @flags: in: 0
 * @timeout_ns: in: nanoseconds to wait at most; 0 only looks, -1 is for ever
 * @vectors: in: bit v % 64 of word v / 64 is vector v, at least one of 0 to
 *	nr_vectors - 1, no other; out: those of them that fired
 *
 * A vector has fired if it did since this file was opened, or last returned it
 * from here or from read(). No eventfd is needed.
 */
struct ivshmem_wait {
	__u32 size;
	__u32 flags;
	__s64 timeout_ns __attribute__((aligned(8)));
	__aligned_u64 vectors[4];
};

/**
 * struct ivshmem_dmabuf - make a dma-buf of a range (IVSHMEM_DMABUF)
 * @size: in: sizeof(struct ivshmem_dmabuf)
 * @flags: in: 0
 * @offset: in: first byte in the shared memory, a multiple of the page size
 * @length: in: bytes, a multiple of the page size, not 0
 * @fd: out: a new file descriptor, close-on-exec, owned by the caller
 * @reserved: in: 0
 *
 * The node must be open for reading and writing. The dma-buf lives on when the
 * node is closed. When the device goes away its mappings raise SIGBUS, new
 * attachments and DMA_BUF_IOCTL_SYNC fail with ENODEV, and the removal waits
 * until no other device has it mapped for DMA.
 */
struct ivshmem_dmabuf {
	__u32 size;
	__u32 flags;
	__aligned_u64 offset;
	__aligned_u64 length;
	__s32 fd;
	__u32 reserved;
};

/**
 * struct ivshmem_event - one vector that fired, as read() returns it
 * @vector: 0 to nr_vectors - 1
 * @reserved: 0
 * @count: interrupts of this vector since this file last read it, or since it
 *	was opened; at least 1
 *
 * read() returns as many whole structs as fit and are pending, at most one for
 * each vector, and keeps the rest for the next read(). A buffer shorter than
 * one struct is EINVAL.
 */
struct ivshmem_event {
	__u32 vector;
	__u32 reserved;
	__aligned_u64 count;
};

#endif /* _UAPI_LINUX_IVSHMEM_GUEST_H */
