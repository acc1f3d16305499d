// SPDX-License-Identifier: GPL-2.0-only
/*
 * read() and poll() of the node: which vectors fired since this file last
 * looked. Nothing is queued; a file compares each vector's count with the one
 * it has seen. Called by the kernel through cdev.c's file operations.
 */
#include <linux/uio.h>

#include "ivshmem_drv.h"

static u64 ivshmem_event_count(const struct ivshmem_file *ivf, unsigned int i)
{
	return atomic64_read(&ivf->ivd->vectors[i].fired) -
	       READ_ONCE(ivf->seen[i]);
}

static bool ivshmem_event_pending(const struct ivshmem_file *ivf)
{
	unsigned int i;

	for (i = 0; i < ivf->ivd->nr_vectors; i++)
		if (ivshmem_event_count(ivf, i))
			return true;
	return false;
}

/**
 * ivshmem_event_skip() - take all that fired until now as seen
 * @ivf: a file that is being opened
 */
void ivshmem_event_skip(struct ivshmem_file *ivf)
{
	unsigned int i;

	for (i = 0; i < ivf->ivd->nr_vectors; i++)
		ivf->seen[i] += ivshmem_event_count(ivf, i);
}

/**
 * ivshmem_event_wake() - wake all who read or poll a file of the device
 * @ivd: the device
 * @events: what poll() may find now
 *
 * All, also those who wait exclusively (EPOLLEXCLUSIVE): each may wait for
 * another file, which has its own count of what it has seen.
 */
void ivshmem_event_wake(struct ivshmem_device *ivd, __poll_t events)
{
	__wake_up(&ivd->waiters, TASK_NORMAL, 0, poll_to_key(events));
}

/* Copy one event out. Seen only once the user has it. */
static int ivshmem_event_copy(struct ivshmem_file *ivf, unsigned int i,
			      u64 count, struct iov_iter *to)
{
	struct ivshmem_event event = { .vector = i, .count = count };

	if (copy_to_iter(&event, sizeof(event), to) != sizeof(event))
		return -EFAULT;
	WRITE_ONCE(ivf->seen[i], ivf->seen[i] + count);
	return 0;
}

/* Copy as many events as there are and fit, 0 if there is none. */
static ssize_t ivshmem_event_copy_all(struct ivshmem_file *ivf,
				      struct iov_iter *to)
{
	unsigned int nr = ivf->ivd->nr_vectors;
	unsigned int first = ivf->next, k;
	ssize_t done = 0;

	for (k = 0; k < nr && iov_iter_count(to) >= sizeof(struct ivshmem_event);
	     k++) {
		unsigned int i = (first + k) % nr;
		u64 count = ivshmem_event_count(ivf, i);

		if (!count)
			continue;
		if (ivshmem_event_copy(ivf, i, count, to))
			return done ? done : -EFAULT;
		done += sizeof(struct ivshmem_event);
		ivf->next = (i + 1) % nr;
	}
	return done;
}

static int ivshmem_event_wait(struct ivshmem_file *ivf, bool nonblock)
{
	struct ivshmem_device *ivd = ivf->ivd;

	if (!nonblock &&
	    wait_event_interruptible(ivd->waiters, READ_ONCE(ivd->dead) ||
				     ivshmem_event_pending(ivf)))
		return -ERESTARTSYS;
	if (READ_ONCE(ivd->dead))
		return -ENODEV;
	return nonblock && !ivshmem_event_pending(ivf) ? -EAGAIN : 0;
}

/* Another reader may hold the lock for as long as its page fault takes. */
static int ivshmem_event_lock(struct ivshmem_file *ivf, bool nonblock)
{
	if (nonblock)
		return mutex_trylock(&ivf->read_lock) ? 0 : -EAGAIN;
	return mutex_lock_interruptible(&ivf->read_lock) ? -ERESTARTSYS : 0;
}

ssize_t ivshmem_event_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	bool nonblock = file->f_flags & O_NONBLOCK ||
			iocb->ki_flags & IOCB_NOWAIT;
	struct ivshmem_file *ivf = file->private_data;
	ssize_t ret;

	if (READ_ONCE(ivf->ivd->dead))
		return -ENODEV;
	if (!ivf->ivd->has_doorbell)
		return -EOPNOTSUPP;
	if (iov_iter_count(to) < sizeof(struct ivshmem_event))
		return -EINVAL;
	/* Again if another reader of this file was faster. */
	do {
		ret = ivshmem_event_wait(ivf, nonblock);
		if (!ret)
			ret = ivshmem_event_lock(ivf, nonblock);
		if (ret)
			return ret;
		ret = ivshmem_event_copy_all(ivf, to);
		mutex_unlock(&ivf->read_lock);
	} while (!ret);
	return ret;
}

__poll_t ivshmem_event_poll(struct file *file, poll_table *wait)
{
	struct ivshmem_file *ivf = file->private_data;

	poll_wait(file, &ivf->ivd->waiters, wait);
	/* Pairs with wq_has_sleeper(). poll_wait() has it only since 6.14. */
	smp_mb();
	if (READ_ONCE(ivf->ivd->dead))
		return EPOLLHUP | EPOLLERR;
	return ivshmem_event_pending(ivf) ? EPOLLIN | EPOLLRDNORM : 0;
}
