/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the driver share: the structs, the locking, and the
 * functions one file calls in another, in the order of the files.
 *
 * Life. A struct ivshmem_device is created by probe and counted: one reference
 * is the driver's, dropped in remove, and each open file has one. What a file
 * can reach lives as long as the struct; the hardware lives until remove.
 *
 * Locking, outer to inner:
 *
 *   ivf->read_lock	one read() at a time on a file
 *   mmap_lock		taken by the kernel before it calls our fault handler
 *   ivd->lock		read side: the hardware may be used, if !ivd->dead
 *   vec->lock		a vector's list of bindings; also taken by the handler
 *
 * No user memory is touched, no file descriptor looked up and no eventfd put
 * under ivd->lock: these may need mmap_lock, or may sleep for long.
 */
#ifndef IVSHMEM_DRV_H
#define IVSHMEM_DRV_H

#include <linux/atomic.h>
#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/interrupt.h>
#include <linux/ivshmem_guest.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/poll.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "compat/compat.h"
#include "regs.h"

#define IVSHMEM_NAME "ivshmem_guest"

struct ivshmem_device;

/**
 * struct ivshmem_vector - an MSI-X vector of the device
 * @ivd: the device it belongs to
 * @fired: interrupts since probe; a file compares it with what it has seen
 * @lock: protects all that follows up to @backoff_end. Taken by the handler and
 *	by all that bind, mask and unbind, inside ivd->lock; only the locks of
 *	eventfds, interrupts and work are taken inside it.
 * @bindings: struct ivshmem_binding, one for each file that bound the vector
 * @nr_bindings: entries in @bindings, at most IVSHMEM_BINDINGS_MAX, since the
 *	handler walks them all with interrupts off
 * @nr_masked: those of them that are masked
 * @delivered: eventfds signalled since probe
 * @suppressed: firings since probe that a file masked
 * @backoffs: how often since probe the vector fired too fast
 * @irq: its Linux interrupt
 * @off: @irq is disabled
 * @backing_off: it fired too fast, and @backoff_end is to come
 * @stopped: the handler goes: @irq is not disabled any more
 * @backoff_end: ends @backing_off
 * @burst_jiffies: the tick of the last interrupt; of the handler alone
 * @burst_left: one more than may still come in it; of the handler alone
 */
struct ivshmem_vector {
	spinlock_t lock;
	struct ivshmem_device *ivd;
	atomic64_t fired;
	struct list_head bindings;
	unsigned int nr_bindings;
	unsigned int nr_masked;
	u64 delivered;
	u64 suppressed;
	u64 backoffs;
	unsigned int irq;
	bool off;
	bool backing_off;
	bool stopped;
	struct delayed_work backoff_end;
	unsigned long burst_jiffies;
	unsigned int burst_left;
};

/**
 * struct ivshmem_binding - what one file wants of one vector
 * @node: in vec->bindings
 * @ivf: the file
 * @eventfd: signalled when the vector fires, or NULL
 * @mode: IVSHMEM_MASK_*
 * @masked: nothing is signalled now
 * @missed: the vector fired while @masked
 *
 * Protected by vec->lock.
 */
struct ivshmem_binding {
	struct list_head node;
	const struct ivshmem_file *ivf;
	struct eventfd_ctx *eventfd;
	u32 mode;
	bool masked;
	bool missed;
};

/* What one page table entry maps: a page, 2 MiB, 1 GiB (on x86). */
#define IVSHMEM_FAULT_LEVELS	3

/**
 * struct ivshmem_counters - since probe, for debugfs
 * @rings: by ioctl
 * @faults: that mapped something, by level of the entry that was asked for
 * @faults_refused: that raised SIGBUS, or found no memory
 */
struct ivshmem_counters {
	atomic64_t rings;
	atomic64_t faults[IVSHMEM_FAULT_LEVELS];
	atomic64_t faults_refused;
};

/**
 * struct ivshmem_device - an ivshmem device, from probe to the last close
 * @ref: one for the driver, one for each open file
 * @lock: read side by all that use the hardware or test @dead; write side only
 *	to set @dead. Taken inside mmap_lock (by faults), so never held while
 *	user memory is touched.
 * @dead: the device is gone or going; only its memory is left
 * @pdev: the PCI device, valid while !@dead
 * @minor: of the node, and N in /dev/ivshmemN
 * @chardev: the class device, between publication and removal
 * @regs: BAR0, valid while !@dead
 * @regs_phys: physical address of BAR0 if users may map it, else 0
 * @regs_rest: what else is in its page, claimed so that nothing comes there
 * @regs_status: page whose last word tells mappers that the device is dead
 * @regs_sink: page that takes the stores of those who did not look
 * @inode: pseudo inode whose mapping all files share, so that one call reaches
 *	every user mapping
 * @shmem_phys: physical address of BAR2, page aligned
 * @shmem_size: bytes in BAR2, a multiple of the page size
 * @shmem_order: order of the largest page that mappings may have
 * @shmem_reserved: the kernel's mapping that makes large pages write-back,
 *	never read through; NULL without them
 * @has_pages: the shared memory has struct pages, see shmem_pages.c
 * @pgmap: those pages
 * @nr_dmabuf_maps: mappings of dma-bufs for the DMA of other devices; grows
 *	only under @lock while !@dead
 * @generation: how often firings may have been lost, see the uAPI header
 * @counters: for debugfs
 * @debugfs: the file there, between publication and removal
 * @has_doorbell: the device has MSI-X, and so a doorbell that works
 * @revision: PCI revision
 * @nr_vectors: entries in @vectors
 * @vectors: the vectors, all with a handler while !@dead
 * @nr_files: open files, to tell whether all of them mask a vector
 * @waiters: readers and pollers of the node
 */
struct ivshmem_device {
	struct kref ref;
	struct rw_semaphore lock;
	bool dead;
	struct pci_dev *pdev;
	unsigned int minor;
	struct device *chardev;
	void __iomem *regs;
	phys_addr_t regs_phys;
	struct resource regs_rest;
	u32 *regs_status;
	void *regs_sink;
	struct inode *inode;
	phys_addr_t shmem_phys;
	u64 shmem_size;
	unsigned int shmem_order;
	void *shmem_reserved;
	bool has_pages;
	struct dev_pagemap pgmap;
	atomic_t nr_dmabuf_maps;
	atomic64_t generation;
	struct ivshmem_counters counters;
	struct dentry *debugfs;
	bool has_doorbell;
	u8 revision;
	unsigned int nr_vectors;
	struct ivshmem_vector *vectors;
	atomic_t nr_files;
	wait_queue_head_t waiters;
};

/**
 * struct ivshmem_file - an open node
 * @ivd: the device, referenced
 * @read_lock: protects @next and the changing of @seen. Outermost; held while
 *	events are copied to user memory, so that none is lost or given twice.
 * @next: the vector at which the next read() begins, so that a short buffer
 *	starves none
 * @seen: for each vector, how much of its @fired this file has read. poll()
 *	looks without the lock.
 */
struct ivshmem_file {
	struct ivshmem_device *ivd;
	struct mutex read_lock;
	unsigned int next;
	u64 seen[];
};

/* pci.c: the PCI device */
int ivshmem_pci_own_id(struct ivshmem_device *ivd, u32 *own_id);
void ivshmem_device_put(struct ivshmem_device *ivd);

/* cdev.c: the node */
int ivshmem_cdev_init(void);
void ivshmem_cdev_exit(void);
int ivshmem_cdev_reserve(struct ivshmem_device *ivd);
void ivshmem_cdev_release(struct ivshmem_device *ivd);
int ivshmem_cdev_publish(struct ivshmem_device *ivd);
void ivshmem_cdev_unpublish(struct ivshmem_device *ivd);

/* ioctl.c: the ioctls of the node */
long ivshmem_ioctl(struct file *file, unsigned int cmd, unsigned long uarg);

/* event.c: read(), poll() and IVSHMEM_WAIT */
ssize_t ivshmem_event_read(struct file *file, char __user *buf, size_t len,
			   loff_t *pos);
ssize_t ivshmem_event_read_iter(struct kiocb *iocb, struct iov_iter *to);
__poll_t ivshmem_event_poll(struct file *file, poll_table *wait);
int ivshmem_event_wait_set(struct ivshmem_file *ivf, struct ivshmem_wait *wait);
void ivshmem_event_skip(struct ivshmem_file *ivf);
void ivshmem_event_wake(struct ivshmem_device *ivd, __poll_t events);

/* sysfs.c: the attributes of the class device */
extern const struct attribute_group *ivshmem_sysfs_groups[];

/* shmem.c: BAR2 */
int ivshmem_shmem_init(void);
void ivshmem_shmem_exit(void);
int ivshmem_shmem_setup(struct ivshmem_device *ivd);
void ivshmem_shmem_stop(struct ivshmem_device *ivd);
void ivshmem_shmem_release(struct ivshmem_device *ivd);
int ivshmem_shmem_map(struct ivshmem_device *ivd, struct vm_area_struct *vma);
int ivshmem_shmem_mmap(struct file *file, struct vm_area_struct *vma);
unsigned long ivshmem_shmem_get_unmapped_area(struct file *file,
					      unsigned long addr,
					      unsigned long len,
					      unsigned long pgoff,
					      unsigned long flags);
unsigned int ivshmem_fault_order(unsigned int level);
void ivshmem_shmem_revoke(struct ivshmem_device *ivd);

/* shmem_ptes.c: entries of one page for BAR2 */
vm_fault_t ivshmem_ptes_insert(struct vm_fault *vmf, unsigned long addr,
			       unsigned long count, phys_addr_t phys);
void ivshmem_ptes_unmark(struct vm_fault *vmf);

/* shmem_huge.c: entries of 2 MiB and 1 GiB for BAR2 */
void ivshmem_huge_setup(struct ivshmem_device *ivd);
void ivshmem_huge_release(struct ivshmem_device *ivd);
bool ivshmem_huge_has_table(const struct vm_fault *vmf);
vm_fault_t ivshmem_huge_insert(struct vm_fault *vmf, unsigned int order,
			       phys_addr_t phys);

/* shmem_pages.c: struct pages for BAR2 */
void ivshmem_pages_setup(struct ivshmem_device *ivd);
void ivshmem_pages_release(struct ivshmem_device *ivd);
vm_fault_t ivshmem_pages_insert(struct vm_area_struct *vma, unsigned long addr,
				unsigned long count, phys_addr_t phys);

/* dmabuf.c: parts of BAR2 as dma-bufs */
struct file *ivshmem_dmabuf_export(struct ivshmem_device *ivd, u64 offset,
				   u64 length);

/* page_attr.c: how mappings are cached */
pgprot_t ivshmem_page_attr_prot(pgprot_t prot);
u32 ivshmem_page_attr(void);
const char *ivshmem_page_attr_name(u32 attr);
void ivshmem_page_attr_notice(struct ivshmem_device *ivd);

/* regs.c: BAR0 in user mappings */
void ivshmem_regs_setup(struct ivshmem_device *ivd);
void ivshmem_regs_kill(struct ivshmem_device *ivd);
void ivshmem_regs_stop(struct ivshmem_device *ivd);
void ivshmem_regs_release(struct ivshmem_device *ivd);
u64 ivshmem_regs_offset(const struct ivshmem_device *ivd);
bool ivshmem_regs_owns(const struct ivshmem_device *ivd,
		       const struct vm_area_struct *vma);
int ivshmem_regs_mmap(struct file *file, struct vm_area_struct *vma);

/* vector.c: incoming */
int ivshmem_vector_setup(struct ivshmem_device *ivd);
void ivshmem_vector_stop(struct ivshmem_device *ivd);
void ivshmem_vector_release(struct ivshmem_device *ivd);
void ivshmem_vector_fire_all(struct ivshmem_device *ivd);
int ivshmem_vector_bind(struct ivshmem_file *ivf, unsigned int vector,
			struct eventfd_ctx *eventfd);
int ivshmem_vector_set_mask(struct ivshmem_file *ivf, unsigned int vector,
			    u32 mode);
int ivshmem_vector_get_stats(struct ivshmem_device *ivd,
			     struct ivshmem_vector_stats *stats);
void ivshmem_vector_unbind_all(struct ivshmem_file *ivf);

/* mask.c: vectors that are switched off */
void ivshmem_mask_init(struct ivshmem_vector *vec);
void ivshmem_mask_stop(struct ivshmem_vector *vec);
void ivshmem_mask_binding(struct ivshmem_vector *vec,
			  struct ivshmem_binding *binding, bool masked);
void ivshmem_mask_files(struct ivshmem_device *ivd, int change);
void ivshmem_mask_back_off(struct ivshmem_vector *vec);
extern unsigned int ivshmem_mask_max_rate;

/**
 * ivshmem_mask_throttle() - count an interrupt, and back off from too many
 * @vec: the vector whose handler calls; nobody else uses the counts
 */
static inline void ivshmem_mask_throttle(struct ivshmem_vector *vec)
{
	if (unlikely(vec->burst_jiffies != jiffies)) {
		vec->burst_jiffies = jiffies;
		vec->burst_left = READ_ONCE(ivshmem_mask_max_rate) / HZ + 1;
	}
	if (unlikely(!--vec->burst_left))
		ivshmem_mask_back_off(vec);
}

/* debugfs.c: the counters */
void ivshmem_debugfs_init(void);
void ivshmem_debugfs_exit(void);
void ivshmem_debugfs_add(struct ivshmem_device *ivd);
void ivshmem_debugfs_remove(struct ivshmem_device *ivd);
void ivshmem_debugfs_count_revocation(void);

/* doorbell.c: outgoing */
int ivshmem_doorbell_ring(struct ivshmem_device *ivd, u32 peer, u32 vector);

#endif /* IVSHMEM_DRV_H */
