// SPDX-License-Identifier: GPL-2.0-only
/*
 * Incoming: an interrupt counts on its vector, signals the eventfds that files
 * bound to it, and wakes readers of the node. Set up and stopped by pci.c;
 * files bind and unbind through cdev.c.
 *
 * The handlers are requested at probe: a ring that nobody waits for is counted
 * and gone.
 */
#include <linux/nospec.h>

#include "ivshmem_drv.h"

/* One file's eventfd on one vector. */
struct ivshmem_binding {
	struct list_head node;
	const struct ivshmem_file *ivf;
	struct eventfd_ctx *eventfd;
};

static void ivshmem_vector_signal(struct ivshmem_vector *vec)
{
	struct ivshmem_binding *binding;
	unsigned long flags;

	spin_lock_irqsave(&vec->lock, flags);
	list_for_each_entry(binding, &vec->bindings, node)
		eventfd_signal(binding->eventfd);
	spin_unlock_irqrestore(&vec->lock, flags);
}

static void ivshmem_vector_fire(struct ivshmem_vector *vec)
{
	atomic64_inc(&vec->fired);
	ivshmem_vector_signal(vec);
	/* Pairs with the barrier of prepare_to_wait() and poll_wait(). */
	if (wq_has_sleeper(&vec->ivd->waiters))
		ivshmem_event_wake(vec->ivd, EPOLLIN | EPOLLRDNORM);
}

static irqreturn_t ivshmem_vector_handler(int irq, void *vec)
{
	ivshmem_vector_fire(vec);
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
	unsigned int i;

	for (i = 0; i < ivd->nr_vectors; i++)
		ivshmem_vector_fire(&ivd->vectors[i]);
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
 * Put the file's new binding on the list in place of its old one, and set
 * *binding to the old one. On failure nothing has changed.
 */
static int ivshmem_vector_replace(struct ivshmem_vector *vec,
				  const struct ivshmem_file *ivf,
				  struct ivshmem_binding **binding)
{
	struct ivshmem_binding *old;
	int ret = 0;

	spin_lock_irq(&vec->lock);
	old = ivshmem_vector_find(vec, ivf);
	if (*binding && !old && vec->nr_bindings == IVSHMEM_BINDINGS_MAX) {
		ret = -ENOSPC;
		goto unlock;
	}
	if (old) {
		list_del(&old->node);
		vec->nr_bindings--;
	}
	if (*binding) {
		list_add_tail(&(*binding)->node, &vec->bindings);
		vec->nr_bindings++;
	}
	*binding = old;
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
	struct ivshmem_binding *binding = NULL;
	struct ivshmem_vector *vec;
	int ret;

	if (eventfd) {
		binding = kzalloc(sizeof(*binding), GFP_KERNEL_ACCOUNT);
		if (!binding) {
			eventfd_ctx_put(eventfd);
			return -ENOMEM;
		}
		binding->ivf = ivf;
		binding->eventfd = eventfd;
	}
	down_read(&ivf->ivd->lock);
	ret = ivshmem_vector_lookup(ivf->ivd, vector, &vec);
	if (!ret)
		ret = ivshmem_vector_replace(vec, ivf, &binding);
	up_read(&ivf->ivd->lock);
	/* The old one, or on failure the new. */
	ivshmem_binding_free(binding);
	return ret;
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
		struct ivshmem_binding *binding = NULL;

		ivshmem_vector_replace(&ivd->vectors[i], ivf, &binding);
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
	}
	return 0;
}

/* Free the handlers of all vectors but the first few. */
static void ivshmem_vector_keep(struct ivshmem_device *ivd, unsigned int keep)
{
	while (ivd->nr_vectors > keep) {
		unsigned int last = --ivd->nr_vectors;

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
	for (i = 0; i < ivd->nr_vectors; i++)
		pci_free_irq(ivd->pdev, i, &ivd->vectors[i]);
	pci_free_irq_vectors(ivd->pdev);
	for (i = 0; i < ivd->nr_vectors; i++)
		ivshmem_vector_clear(&ivd->vectors[i]);
}

/** ivshmem_vector_release() - free the vectors, when no file is left */
void ivshmem_vector_release(struct ivshmem_device *ivd)
{
	kvfree(ivd->vectors);
}
