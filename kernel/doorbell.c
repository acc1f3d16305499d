// SPDX-License-Identifier: GPL-2.0-only
/*
 * Outgoing: check the peer and the vector, and write the doorbell once. Called
 * by the ioctl table in ioctl.c.
 */
#include "ivshmem_drv.h"
#include "trace.h"

/**
 * ivshmem_doorbell_ring() - ring a vector of a peer
 * @ivd: a device with !dead, its lock held for reading
 * @peer: as the user gave it
 * @vector: as the user gave it
 *
 * The bounds matter: the register keeps 16 bits of the peer, and the device 8
 * of the vector, so that a larger one would ring somebody else.
 *
 * Return: 0, -EOPNOTSUPP on a plain device, -EINVAL.
 */
int ivshmem_doorbell_ring(struct ivshmem_device *ivd, u32 peer, u32 vector)
{
	if (!ivd->has_doorbell)
		return -EOPNOTSUPP;
	if (peer > IVSHMEM_PEER_MAX || vector > IVSHMEM_VECTOR_MAX)
		return -EINVAL;
	atomic64_inc(&ivd->counters.rings);
	trace_ivshmem_ring(ivd->minor, peer, vector);
	/* Orders the caller's stores to the shared memory before the ring. */
	iowrite32(peer << IVSHMEM_DOORBELL_PEER_SHIFT | vector,
		  ivd->regs + IVSHMEM_REG_DOORBELL);
	return 0;
}
