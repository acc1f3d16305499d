/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring that checks nothing and copies in and out, to compare with: what memory
 * and processors of this machine allow.
 */
#ifndef BENCH_REFERENCE_H
#define BENCH_REFERENCE_H

#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#define RING (1u << 20)

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

#endif /* BENCH_REFERENCE_H */
