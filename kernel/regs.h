/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * BAR0 of the ivshmem device: the registers, and the doorbell's bits. Written
 * from QEMU's ivshmem device specification.
 */
#ifndef IVSHMEM_REGS_H
#define IVSHMEM_REGS_H

#define IVSHMEM_BAR_REGS	0
#define IVSHMEM_BAR_SHMEM	2

/* Offsets 0 and 4 were the interrupt mask and status of revision 0. */
#define IVSHMEM_REG_IVPOSITION	8
#define IVSHMEM_REG_DOORBELL	12
#define IVSHMEM_REGS_SIZE	16

#define IVSHMEM_DOORBELL_PEER_SHIFT	16

/* What any register reads when no device answers. */
#define IVSHMEM_REG_GONE	(~0U)

#endif /* IVSHMEM_REGS_H */
