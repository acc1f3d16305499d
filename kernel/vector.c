// SPDX-License-Identifier: GPL-2.0-only
/*
 * Incoming: an interrupt counts on its vector, signals the eventfds that files
 * bound to it, and wakes readers of the node. Set up and stopped by pci.c;
 * files bind, mask and unbind through ioctl.c. When a vector is switched off is
 * decided in mask.c.
 *
 * The handlers are requested at probe: a ring that nobody waits for is counted
 * and gone.
 */
#include <linux/nospec.h>

#include "ivshmem_drv.h"
#include "trace.h"

/* Signal one file, which masked the vector at most after its last firing. */
static void ivshmem_binding_signal(struct ivshmem_vector *vec,
				   struct ivshmem_binding *binding)
{
	if (binding->eventfd) {
		eventfd_signal(binding->eventfd);
		vec->delivered++;
	}
	if (binding->mode == IVSHMEM_MASK_ONE_SHOT)
		ivshmem_mask_binding(vec, binding, true);
}

/* A file that masked the vector hears of it when it unmasks, or at the end. */
static void ivshmem_binding_fire(struct ivshmem_vector *vec,
				 struct ivshmem_binding *binding)
{
	if (likely(binding->mode == IVSHMEM_MASK_OFF)) {
		/* It has an eventfd, or would not be on the list. */
		eventfd_signal(binding->eventfd);
		vec->delivered++;
	} else if (binding->masked && !READ_ONCE(vec->ivd->dead)) {
		binding->missed = true;
		vec->suppressed++;
	} else {
		ivshmem_binding_signal(vec, binding);
	}
}

/* With vec->lock. */
static void ivshmem_vector_signal(struct ivshmem_vector *vec)
{
	struct ivshmem_binding *binding;

	list_for_each_entry(binding, &vec->bindings, node)
		ivshmem_binding_fire(vec, binding);
}

static void ivshmem_vector_wake(struct ivshmem_vector *vec)
{
	/* Pairs with the barrier of prepare_to_wait() and poll_wait(). */
	if (wq_has_sleeper(&vec->ivd->waiters))
		ivshmem_event_wake(vec->ivd, EPOLLIN | EPOLLRDNORM);
}

static irqreturn_t ivshmem_vector_handler(int irq, void *data)
{
	struct ivshmem_vector *vec = data;

	atomic64_inc(&vec->fired);
	spin_lock(&vec->lock);
	ivshmem_vector_signal(vec);
	spin_unlock(&vec->lock);
	ivshmem_vector_wake(vec);
	ivshmem_mask_throttle(vec);
	if (trace_ivshmem_fire_enabled())
		trace_ivshmem_fire(vec->ivd->minor, vec - vec->ivd->vectors,
				   atomic64_read(&vec->fired));
	return IRQ_HANDLED;
}

/**
 * ivshmem_vector_fire_all() - as if every vector had fired, once
 * @ivd: a device, also a dead one
 *
 * For the moments at which rings may have been lost.
 */
void ivshmem_vector_fire_all(struct ivshmem_device *ivd)
{
	unsigned long flags;
	unsigned int i;

	for (i = 0; i < ivd->nr_vectors; i++) {
		struct ivshmem_vector *vec = &ivd->vectors[i];

		atomic64_inc(&vec->fired);
		spin_lock_irqsave(&vec->lock, flags);
		ivshmem_vector_signal(vec);
		spin_unlock_irqrestore(&vec->lock, flags);
		ivshmem_vector_wake(vec);
	}
}

static struct ivshmem_binding *
ivshmem_vector_find(struct ivshmem_vector *vec, const struct ivshmem_file *ivf)
{
	struct ivshmem_binding *binding;

	list_for_each_entry(binding, &vec->bindings, node)
		if (binding->ivf == ivf)
			return binding;
	return NULL;
}

static void ivshmem_binding_free(struct ivshmem_binding *binding)
{
	if (!binding)
		return;
	if (binding->eventfd)
		eventfd_ctx_put(binding->eventfd);
	kfree(binding);
}

/*
 * The file's binding on the list; or the new one, put there. With vec->lock.
 * NULL if there is neither, -ENOSPC if too many files have one.
 */
static struct ivshmem_binding *
ivshmem_vector_get(struct ivshmem_vector *vec, const struct ivshmem_file *ivf,
		   struct ivshmem_binding **new)
{
	struct ivshmem_binding *binding = ivshmem_vector_find(vec, ivf);

	if (binding || !*new)
		return binding;
	if (vec->nr_bindings == IVSHMEM_BINDINGS_MAX)
		return ERR_PTR(-ENOSPC);
	binding = *new;
	*new = NULL;
	list_add_tail(&binding->node, &vec->bindings);
	vec->nr_bindings++;
	return binding;
}

/* With vec->lock. */
static void ivshmem_vector_remove(struct ivshmem_vector *vec,
				  struct ivshmem_binding *binding)
{
	ivshmem_mask_binding(vec, binding, false);
	list_del(&binding->node);
	vec->nr_bindings--;
}

/* What a file asks of its binding: one of the two. */
struct ivshmem_change {
	bool set_eventfd;
	struct eventfd_ctx *eventfd;	/* taken over; the old one is left here */
	u32 mode;
};

static void ivshmem_binding_set_mode(struct ivshmem_vector *vec,
				     struct ivshmem_binding *binding, u32 mode)
{
	bool missed = binding->missed && mode != IVSHMEM_MASK_ON;

	binding->mode = mode;
	binding->missed = binding->missed && !missed;
	ivshmem_mask_binding(vec, binding, mode == IVSHMEM_MASK_ON);
	if (missed)
		ivshmem_binding_signal(vec, binding);
}

/* *spare is used up, or set to what is to be freed. */
static int ivshmem_vector_apply(struct ivshmem_vector *vec,
				const struct ivshmem_file *ivf,
				struct ivshmem_change *change,
				struct ivshmem_binding **spare)
{
	struct ivshmem_binding *binding;
	int ret;

	spin_lock_irq(&vec->lock);
	binding = ivshmem_vector_get(vec, ivf, spare);
	ret = PTR_ERR_OR_ZERO(binding);
	if (IS_ERR_OR_NULL(binding))
		goto unlock;
	if (change->set_eventfd)
		swap(binding->eventfd, change->eventfd);
	else
		ivshmem_binding_set_mode(vec, binding, change->mode);
	/* Nothing is asked of it any more. */
	if (!binding->eventfd && binding->mode == IVSHMEM_MASK_OFF) {
		ivshmem_vector_remove(vec, binding);
		*spare = binding;
	}
unlock:
	spin_unlock_irq(&vec->lock);
	return ret;
}

static int ivshmem_vector_lookup(struct ivshmem_device *ivd,
				 unsigned int vector,
				 struct ivshmem_vector **vec)
{
	if (ivd->dead)
		return -ENODEV;
	if (!ivd->has_doorbell)
		return -EOPNOTSUPP;
	if (vector >= ivd->nr_vectors)
		return -EINVAL;
	*vec = &ivd->vectors[array_index_nospec(vector, ivd->nr_vectors)];
	return 0;
}

/* Make the change; a file that has no binding yet gets one if add says so. */
static int ivshmem_vector_change(struct ivshmem_file *ivf, unsigned int vector,
				 struct ivshmem_change *change, bool add)
{
	struct ivshmem_binding *spare = NULL;
	struct ivshmem_vector *vec;
	int ret;

	if (add) {
		spare = kzalloc(sizeof(*spare), GFP_KERNEL_ACCOUNT);
		if (!spare)
			return -ENOMEM;
		spare->ivf = ivf;
	}
	down_read(&ivf->ivd->lock);
	ret = ivshmem_vector_lookup(ivf->ivd, vector, &vec);
	if (!ret)
		ret = ivshmem_vector_apply(vec, ivf, change, &spare);
	up_read(&ivf->ivd->lock);
	ivshmem_binding_free(spare);
	return ret;
}

/**
 * ivshmem_vector_bind() - signal an eventfd when a vector fires
 * @ivf: the file that binds
 * @vector: as the user gave it
 * @eventfd: to be signalled, or NULL to unbind; the reference is taken over,
 *	also on failure
 *
 * Context: takes ivd->lock for reading; may sleep.
 * Return: 0, -EINVAL, -ENODEV, -ENOMEM, -ENOSPC, -EOPNOTSUPP.
 */
int ivshmem_vector_bind(struct ivshmem_file *ivf, unsigned int vector,
			struct eventfd_ctx *eventfd)
{
	struct ivshmem_change change = {
		.set_eventfd = true,
		.eventfd = eventfd,
	};
	int ret = ivshmem_vector_change(ivf, vector, &change, eventfd);

	/* The old one, or on failure the new. */
	if (change.eventfd)
		eventfd_ctx_put(change.eventfd);
	return ret;
}

/**
 * ivshmem_vector_set_mask() - mask a vector for a file, or unmask it
 * @ivf: the file
 * @vector: as the user gave it
 * @mode: IVSHMEM_MASK_*, as the user gave it
 *
 * Context: takes ivd->lock for reading; may sleep.
 * Return: 0, -EINVAL, -ENODEV, -ENOMEM, -ENOSPC, -EOPNOTSUPP.
 */
int ivshmem_vector_set_mask(struct ivshmem_file *ivf, unsigned int vector,
			    u32 mode)
{
	struct ivshmem_change change = { .mode = mode };

	if (mode > IVSHMEM_MASK_ONE_SHOT)
		return -EINVAL;
	return ivshmem_vector_change(ivf, vector, &change,
				     mode != IVSHMEM_MASK_OFF);
}

/**
 * ivshmem_vector_get_stats() - what a vector has counted since probe
 * @ivd: a device, its lock held for reading
 * @stats: in: the vector as the user gave it; out: the counts
 *
 * Return: 0, -EINVAL, -ENODEV, -EOPNOTSUPP.
 */
int ivshmem_vector_get_stats(struct ivshmem_device *ivd,
			     struct ivshmem_vector_stats *stats)
{
	struct ivshmem_vector *vec;
	int ret = ivshmem_vector_lookup(ivd, stats->vector, &vec);

	if (ret)
		return ret;
	spin_lock_irq(&vec->lock);
	stats->nr_bindings = vec->nr_bindings;
	stats->fired = atomic64_read(&vec->fired);
	stats->delivered = vec->delivered;
	stats->suppressed = vec->suppressed;
	stats->backoffs = vec->backoffs;
	spin_unlock_irq(&vec->lock);
	return 0;
}

/**
 * ivshmem_vector_unbind_all() - drop every binding of a file that is closed
 * @ivf: the file
 */
void ivshmem_vector_unbind_all(struct ivshmem_file *ivf)
{
	struct ivshmem_device *ivd = ivf->ivd;
	unsigned int i;

	for (i = 0; i < ivd->nr_vectors; i++) {
		struct ivshmem_vector *vec = &ivd->vectors[i];
		struct ivshmem_binding *binding;

		spin_lock_irq(&vec->lock);
		binding = ivshmem_vector_find(vec, ivf);
		if (binding)
			ivshmem_vector_remove(vec, binding);
		spin_unlock_irq(&vec->lock);
		ivshmem_binding_free(binding);
	}
}

/* Drop what all files bound to a vector that has no handler any more. */
static void ivshmem_vector_clear(struct ivshmem_vector *vec)
{
	struct ivshmem_binding *binding, *next;
	LIST_HEAD(bindings);

	spin_lock_irq(&vec->lock);
	list_splice_init(&vec->bindings, &bindings);
	vec->nr_bindings = 0;
	vec->nr_masked = 0;
	spin_unlock_irq(&vec->lock);
	list_for_each_entry_safe(binding, next, &bindings, node)
		ivshmem_binding_free(binding);
}

static int ivshmem_vector_alloc(struct ivshmem_device *ivd, unsigned int nr)
{
	unsigned int i;

	ivd->vectors = kvcalloc(nr, sizeof(*ivd->vectors), GFP_KERNEL);
	if (!ivd->vectors)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		struct ivshmem_vector *vec = &ivd->vectors[i];

		vec->ivd = ivd;
		atomic64_set(&vec->fired, 0);
		spin_lock_init(&vec->lock);
		INIT_LIST_HEAD(&vec->bindings);
		ivshmem_mask_init(vec);
	}
	return 0;
}

/* Free the handlers of all vectors but the first few. */
static void ivshmem_vector_keep(struct ivshmem_device *ivd, unsigned int keep)
{
	while (ivd->nr_vectors > keep) {
		unsigned int last = --ivd->nr_vectors;

		ivshmem_mask_stop(&ivd->vectors[last]);
		pci_free_irq(ivd->pdev, last, &ivd->vectors[last]);
	}
	if (!keep)
		pci_free_irq_vectors(ivd->pdev);
}

/*
 * The interrupt numbers of the CPUs, some 200 on each, are handed out only
 * here: there can be fewer than the vectors that were allocated. Then half of
 * what was to be had is given back, or other devices would find none.
 */
static int ivshmem_vector_request_irqs(struct ivshmem_device *ivd,
				       unsigned int nr)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nr; i++) {
		ivd->vectors[i].irq = pci_irq_vector(ivd->pdev, i);
		ret = pci_request_irq(ivd->pdev, i, ivshmem_vector_handler,
				      NULL, &ivd->vectors[i], "ivshmem%u-%u",
				      ivd->minor, i);
		if (ret)
			break;
		ivd->nr_vectors++;
	}
	if (!ret)
		return 0;
	ivshmem_vector_keep(ivd, ret == -ENOSPC ? (i + 1) / 2 : 0);
	if (ret != -ENOSPC)
		return ret;
	pci_notice(ivd->pdev, "the CPUs have no interrupts for all vectors: %u of %u\n",
		   ivd->nr_vectors, nr);
	return 0;
}

/**
 * ivshmem_vector_setup() - get as many vectors as there are, and their handlers
 * @ivd: a device that has its minor, and is not yet published
 *
 * Undone by ivshmem_vector_stop(), and the memory by ivshmem_vector_release().
 *
 * Return: 0, also when there is no vector to be had; else a negative errno.
 */
int ivshmem_vector_setup(struct ivshmem_device *ivd)
{
	int nr, ret;

	ivd->has_doorbell = ivd->pdev->msix_cap;
	if (!ivd->has_doorbell)
		return 0;
	nr = pci_alloc_irq_vectors(ivd->pdev, 1, IVSHMEM_VECTOR_MAX + 1,
				   PCI_IRQ_MSIX);
	if (nr < 0) {
		pci_notice(ivd->pdev, "no MSI-X vectors (%d): can ring, but cannot be rung\n",
			   nr);
		return 0;
	}
	ret = ivshmem_vector_alloc(ivd, nr);
	if (ret) {
		pci_free_irq_vectors(ivd->pdev);
		return ret;
	}
	return ivshmem_vector_request_irqs(ivd, nr);
}

/**
 * ivshmem_vector_stop() - no vector fires any more, and none is bound
 * @ivd: a dead device, or one that was never published
 *
 * Context: sleeps until running handlers have returned.
 */
void ivshmem_vector_stop(struct ivshmem_device *ivd)
{
	unsigned int i;

	if (!ivd->nr_vectors)
		return;
	for (i = 0; i < ivd->nr_vectors; i++) {
		ivshmem_mask_stop(&ivd->vectors[i]);
		pci_free_irq(ivd->pdev, i, &ivd->vectors[i]);
	}
	pci_free_irq_vectors(ivd->pdev);
	for (i = 0; i < ivd->nr_vectors; i++)
		ivshmem_vector_clear(&ivd->vectors[i]);
}

/** ivshmem_vector_release() - free the vectors, when no file is left */
void ivshmem_vector_release(struct ivshmem_device *ivd)
{
	kvfree(ivd->vectors);
}
