/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The layout of every struct of the uAPI, for ever: each member with its offset
 * and size. layout.c tests it as compiled for this machine, and compiles it
 * with -m32 too; so this needs nothing but the uAPI header.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include <linux/ivshmem_guest.h>

/* do_it(struct, member, offset, size) */
#define FOR_EACH_MEMBER(do_it) \
	do_it(ivshmem_info, size, 0, 4) \
	do_it(ivshmem_info, flags, 4, 4) \
	do_it(ivshmem_info, features, 8, 8) \
	do_it(ivshmem_info, shmem_size, 16, 8) \
	do_it(ivshmem_info, generation, 24, 8) \
	do_it(ivshmem_info, own_id, 32, 4) \
	do_it(ivshmem_info, nr_vectors, 36, 4) \
	do_it(ivshmem_info, revision, 40, 4) \
	do_it(ivshmem_info, page_attr, 44, 4) \
	do_it(ivshmem_info, regs_offset, 48, 8) \
	do_it(ivshmem_ring, size, 0, 4) \
	do_it(ivshmem_ring, flags, 4, 4) \
	do_it(ivshmem_ring, peer, 8, 4) \
	do_it(ivshmem_ring, vector, 12, 4) \
	do_it(ivshmem_vector_eventfd, size, 0, 4) \
	do_it(ivshmem_vector_eventfd, flags, 4, 4) \
	do_it(ivshmem_vector_eventfd, vector, 8, 4) \
	do_it(ivshmem_vector_eventfd, eventfd, 12, 4) \
	do_it(ivshmem_dmabuf, size, 0, 4) \
	do_it(ivshmem_dmabuf, flags, 4, 4) \
	do_it(ivshmem_dmabuf, offset, 8, 8) \
	do_it(ivshmem_dmabuf, length, 16, 8) \
	do_it(ivshmem_dmabuf, fd, 24, 4) \
	do_it(ivshmem_dmabuf, reserved, 28, 4) \
	do_it(ivshmem_vector_mask, size, 0, 4) \
	do_it(ivshmem_vector_mask, flags, 4, 4) \
	do_it(ivshmem_vector_mask, vector, 8, 4) \
	do_it(ivshmem_vector_mask, mode, 12, 4) \
	do_it(ivshmem_vector_stats, size, 0, 4) \
	do_it(ivshmem_vector_stats, flags, 4, 4) \
	do_it(ivshmem_vector_stats, vector, 8, 4) \
	do_it(ivshmem_vector_stats, nr_bindings, 12, 4) \
	do_it(ivshmem_vector_stats, fired, 16, 8) \
	do_it(ivshmem_vector_stats, delivered, 24, 8) \
	do_it(ivshmem_vector_stats, suppressed, 32, 8) \
	do_it(ivshmem_vector_stats, backoffs, 40, 8) \
	do_it(ivshmem_wait, size, 0, 4) \
	do_it(ivshmem_wait, flags, 4, 4) \
	do_it(ivshmem_wait, timeout_ns, 8, 8) \
	do_it(ivshmem_wait, vectors, 16, 32) \
	do_it(ivshmem_event, vector, 0, 4) \
	do_it(ivshmem_event, reserved, 4, 4) \
	do_it(ivshmem_event, count, 8, 8)

/* do_it(name, value) */
#define FOR_EACH_NUMBER(do_it) \
	do_it(sizeof(struct ivshmem_info), 56) \
	do_it(sizeof(struct ivshmem_ring), 16) \
	do_it(sizeof(struct ivshmem_vector_eventfd), 16) \
	do_it(sizeof(struct ivshmem_dmabuf), 32) \
	do_it(sizeof(struct ivshmem_vector_mask), 16) \
	do_it(sizeof(struct ivshmem_vector_stats), 48) \
	do_it(sizeof(struct ivshmem_wait), 48) \
	do_it(sizeof(struct ivshmem_event), 16) \
	do_it(_Alignof(struct ivshmem_info), 8) \
	do_it(_Alignof(struct ivshmem_dmabuf), 8) \
	do_it(_Alignof(struct ivshmem_event), 8) \
	do_it(IVSHMEM_INFO, 0x7800) \
	do_it(IVSHMEM_RING, 0x7801) \
	do_it(IVSHMEM_VECTOR_EVENTFD, 0x7802) \
	do_it(IVSHMEM_DMABUF, 0x7805) \
	do_it(IVSHMEM_FEATURE_DOORBELL, 1) \
	do_it(IVSHMEM_FEATURE_DMABUF, 16) \
	do_it(IVSHMEM_FEATURE_STRUCT_PAGES, 32) \
	do_it(IVSHMEM_VECTOR_MASK, 0x7803) \
	do_it(IVSHMEM_VECTOR_STATS, 0x7804) \
	do_it(IVSHMEM_WAIT, 0x7806) \
	do_it(IVSHMEM_FEATURE_VECTOR_MASK, 4) \
	do_it(IVSHMEM_FEATURE_VECTOR_STATS, 8) \
	do_it(IVSHMEM_FEATURE_WAIT, 64) \
	do_it(IVSHMEM_MASK_OFF, 0) \
	do_it(IVSHMEM_MASK_ON, 1) \
	do_it(IVSHMEM_MASK_ONE_SHOT, 2) \
	do_it(IVSHMEM_FEATURE_MAPPED_REGS, 2) \
	do_it(IVSHMEM_REGS_DOORBELL, 12) \
	do_it(IVSHMEM_PEER_MAX, 65535) \
	do_it(IVSHMEM_VECTOR_MAX, 255) \
	do_it(IVSHMEM_PAGE_ATTR_UNKNOWN, 0) \
	do_it(IVSHMEM_PAGE_ATTR_WB, 1) \
	do_it(IVSHMEM_PAGE_ATTR_WC, 2) \
	do_it(IVSHMEM_PAGE_ATTR_UC, 3)

#define ASSERT_MEMBER(type, member, at, bytes) \
	_Static_assert(__builtin_offsetof(struct type, member) == (at) && \
		       sizeof(((struct type *)0)->member) == (bytes), \
		       #type "." #member);
#define ASSERT_NUMBER(name, value) _Static_assert((name) == (value), #name);

#ifdef LAYOUT_STATIC
FOR_EACH_MEMBER(ASSERT_MEMBER)
FOR_EACH_NUMBER(ASSERT_NUMBER)
#endif

#endif /* LAYOUT_H */
