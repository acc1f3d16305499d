// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Ringing: one store to the register page where the driver lets us map it, else
 * what the backend does. Which of the two it is the caller does not notice.
 *
 * The status page is mapped directly before the registers, so that the word
 * that says whether the device is there lies at a fixed distance from the
 * doorbell. Where the registers are not mapped, the doorbell points to zeros
 * of our own, whose word says that it is gone: then each ring goes to the
 * backend, which also has the errors.
 */
#include <endian.h>
#include <linux/ivshmem_guest.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"

/* From the doorbell to the last word of the page before. */
#define ALIVE (-(IVSHMEM_REGS_DOORBELL / 4) - 1)

static const struct {
	uint32_t alive;
	uint32_t regs[IVSHMEM_REGS_DOORBELL / 4 + 1];
} absent;

/* Never stored to: its word says that it is gone. */
static uint32_t *absent_doorbell(void)
{
	return (uint32_t *)&absent.regs[IVSHMEM_REGS_DOORBELL / 4];
}

static void *map_page(const struct ivsh_device *device, void *address,
		      int protection, uint64_t offset)
{
	return mmap(address, getpagesize(), protection, MAP_SHARED | MAP_FIXED,
		    device->fd, (off_t)offset);
}

/* Map the status and the registers side by side; the page before both, or NULL. */
static char *map_pages(const struct ivsh_device *device, uint64_t regs_offset)
{
	size_t page = getpagesize();
	char *pages = mmap(NULL, 2 * page, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		return NULL;
	if (map_page(device, pages, PROT_READ, regs_offset - page) != MAP_FAILED &&
	    map_page(device, pages + page, PROT_WRITE, regs_offset) != MAP_FAILED)
		return pages;
	munmap(pages, 2 * page);
	return NULL;
}

void ivsh_doorbell_map(struct ivsh_device *device, uint64_t regs_offset)
{
	char *pages = NULL;

	if (regs_offset && !device->read_only)
		pages = map_pages(device, regs_offset);
	device->doorbell_pages = pages;
	device->doorbell = pages ?
		(uint32_t *)(void *)(pages + getpagesize() +
					      IVSHMEM_REGS_DOORBELL) :
		absent_doorbell();
}

void ivsh_doorbell_unmap(struct ivsh_device *device)
{
	if (device->doorbell_pages)
		munmap(device->doorbell_pages, 2 * (size_t)getpagesize());
}

/* What the caller stored before is seen before the ring. */
static inline void store_barrier(void)
{
#ifdef __aarch64__
	__asm__ volatile("dmb oshst" : : : "memory");
#else
	atomic_thread_fence(memory_order_release);
#endif
}

IVSH_API int ivsh_device_ring(struct ivsh_device *device, uint32_t peer,
			      uint32_t vector)
{
	uint32_t *doorbell = device->doorbell;

	/* A plain load: it is one instruction with its comparison. */
	if (doorbell[ALIVE] != 1 || peer > IVSHMEM_PEER_MAX ||
	    vector > IVSHMEM_VECTOR_MAX)
		return device->backend->ring(device, peer, vector);
	store_barrier();
	*(volatile uint32_t *)doorbell = htole32(peer << 16 | vector);
	return 0;
}
