// SPDX-License-Identifier: GPL-2.0-only
/*
 * read(), poll() and IVSHMEM_WAIT: which vectors fired since this file last
 * looked. Nothing is queued; a file compares each vector's count with the one
 * it has seen. Called by the kernel through cdev.c's file operations.
 */
#include <linux/uio.h>

#include "ivshmem_drv.h"

#define IVSHMEM_SET_WORDS	ARRAY_SIZE(((struct ivshmem_wait *)0)->vectors)

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

/*
 * Where events go: read() has a buffer, all that came later has an iterator,
 * which costs a hundred instructions more.
 */
struct ivshmem_out {
	char __user *buf;
	struct iov_iter *iter;
	size_t len;
	bool nonblock;
};

/* Copy one event out. Seen only once the user has it. */
static int ivshmem_event_copy(struct ivshmem_file *ivf, unsigned int i,
			      u64 count, const struct ivshmem_out *out,
			      size_t at)
{
	struct ivshmem_event event = { .vector = i, .count = count };
	bool copied;

	if (out->iter)
		copied = copy_to_iter(&event, sizeof(event), out->iter) ==
			 sizeof(event);
	else
		copied = !copy_to_user(out->buf + at, &event, sizeof(event));
	if (!copied)
		return -EFAULT;
	WRITE_ONCE(ivf->seen[i], ivf->seen[i] + count);
	return 0;
}

/* Copy as many events as there are and fit, 0 if there is none. */
static ssize_t ivshmem_event_copy_all(struct ivshmem_file *ivf,
				      const struct ivshmem_out *out)
{
	unsigned int nr = ivf->ivd->nr_vectors;
	unsigned int first = ivf->next, k;
	size_t done = 0;

	for (k = 0; k < nr && out->len - done >= sizeof(struct ivshmem_event);
	     k++) {
		unsigned int i = first + k < nr ? first + k : first + k - nr;
		u64 count = ivshmem_event_count(ivf, i);

		if (!count)
			continue;
		if (ivshmem_event_copy(ivf, i, count, out, done))
			return done ? done : -EFAULT;
		done += sizeof(struct ivshmem_event);
		ivf->next = i + 1 < nr ? i + 1 : 0;
	}
	return done;
}

static int ivshmem_event_wait(struct ivshmem_file *ivf, bool nonblock)
{
	struct ivshmem_device *ivd = ivf->ivd;

	if (READ_ONCE(ivd->dead))
		return -ENODEV;
	if (ivshmem_event_pending(ivf))
		return 0;
	if (nonblock)
		return -EAGAIN;
	if (wait_event_interruptible(ivd->waiters, READ_ONCE(ivd->dead) ||
				     ivshmem_event_pending(ivf)))
		return -ERESTARTSYS;
	return READ_ONCE(ivd->dead) ? -ENODEV : 0;
}

/* Another reader may hold the lock for as long as its page fault takes. */
static int ivshmem_event_lock(struct ivshmem_file *ivf, bool nonblock)
{
	if (nonblock)
		return mutex_trylock(&ivf->read_lock) ? 0 : -EAGAIN;
	return mutex_lock_interruptible(&ivf->read_lock) ? -ERESTARTSYS : 0;
}

static ssize_t ivshmem_event_out(struct ivshmem_file *ivf,
				 const struct ivshmem_out *out)
{
	ssize_t ret;

	if (READ_ONCE(ivf->ivd->dead))
		return -ENODEV;
	if (!ivf->ivd->has_doorbell)
		return -EOPNOTSUPP;
	if (out->len < sizeof(struct ivshmem_event))
		return -EINVAL;
	/* Again if another reader of this file was faster. */
	do {
		ret = ivshmem_event_wait(ivf, out->nonblock);
		if (!ret)
			ret = ivshmem_event_lock(ivf, out->nonblock);
		if (ret)
			return ret;
		ret = ivshmem_event_copy_all(ivf, out);
		mutex_unlock(&ivf->read_lock);
	} while (!ret);
	return ret;
}

/* read() alone: the shortest way to a waiter. */
ssize_t ivshmem_event_read(struct file *file, char __user *buf, size_t len,
			   loff_t *pos)
{
	struct ivshmem_out out = {
		.buf = buf,
		.len = len,
		.nonblock = file->f_flags & O_NONBLOCK,
	};

	return ivshmem_event_out(file->private_data, &out);
}

/* readv(), preadv2(), io_uring. */
ssize_t ivshmem_event_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	struct ivshmem_out out = {
		.iter = to,
		.len = iov_iter_count(to),
		.nonblock = file->f_flags & O_NONBLOCK ||
			    iocb->ki_flags & IOCB_NOWAIT,
	};

	return ivshmem_event_out(file->private_data, &out);
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

/* The vectors of a set, which has none beyond the last. */
#define for_each_vector(i, vectors, word, bits)				\
	for (word = 0; word < IVSHMEM_SET_WORDS; word++)		\
		for (bits = vectors[word];				\
		     bits && ((i) = word * 64 + __ffs64(bits), true);	\
		     bits &= bits - 1)

/* Take as seen, and leave in the set, what fired of it. With read_lock. */
static bool ivshmem_event_take(struct ivshmem_file *ivf, u64 *vectors)
{
	unsigned int i, word;
	bool any = false;
	u64 bits;

	for_each_vector(i, vectors, word, bits) {
		u64 count = ivshmem_event_count(ivf, i);

		WRITE_ONCE(ivf->seen[i], ivf->seen[i] + count);
		if (count)
			any = true;
		else
			vectors[word] &= ~(1ULL << i % 64);
	}
	return any;
}

static bool ivshmem_event_any(const struct ivshmem_file *ivf,
			      const u64 *vectors)
{
	unsigned int i, word;
	u64 bits;

	for_each_vector(i, vectors, word, bits)
		if (ivshmem_event_count(ivf, i))
			return true;
	return READ_ONCE(ivf->ivd->dead);
}

/* Not -ERESTARTSYS: a restart would wait for the whole time again. */
static int ivshmem_event_sleep(struct ivshmem_file *ivf, const u64 *vectors,
			       const ktime_t *end)
{
	struct ivshmem_device *ivd = ivf->ivd;
	ktime_t left = end ? ktime_sub(*end, ktime_get()) : KTIME_MAX;
	int ret;

	if (!end)
		ret = wait_event_interruptible(ivd->waiters,
					       ivshmem_event_any(ivf, vectors));
	else if (left <= 0)	/* a timer would take it for the longest time */
		ret = ivshmem_event_any(ivf, vectors) ? 0 : -ETIME;
	else
		ret = wait_event_interruptible_hrtimeout(ivd->waiters,
					ivshmem_event_any(ivf, vectors), left);
	if (ret)
		return ret == -ETIME ? -ETIMEDOUT : -EINTR;
	return READ_ONCE(ivd->dead) ? -ENODEV : 0;
}

/* Whether the set names vectors that there are, and at least one. */
static bool ivshmem_event_valid(const struct ivshmem_device *ivd,
				const u64 *vectors)
{
	unsigned int word, left = ivd->nr_vectors;
	u64 some = 0;

	for (word = 0; word < IVSHMEM_SET_WORDS; word++) {
		unsigned int here = min(left, 64U);

		if (here < 64 && vectors[word] >> here)
			return false;
		some |= vectors[word];
		left -= here;
	}
	return some;
}

/**
 * ivshmem_event_wait_set() - wait until any of a set of vectors has fired
 * @ivf: the file that waits
 * @wait: as the user gave it; its set becomes that of the vectors that fired
 *
 * Context: sleeps.
 * Return: 0, -EINTR, -EINVAL, -ENODEV, -EOPNOTSUPP, -ETIMEDOUT.
 */
int ivshmem_event_wait_set(struct ivshmem_file *ivf, struct ivshmem_wait *wait)
{
	ktime_t end = ktime_add_safe(ktime_get(), ns_to_ktime(wait->timeout_ns));
	bool any;
	int ret;

	if (READ_ONCE(ivf->ivd->dead))
		return -ENODEV;
	if (!ivf->ivd->has_doorbell)
		return -EOPNOTSUPP;
	if (wait->timeout_ns < -1 || !ivshmem_event_valid(ivf->ivd, wait->vectors))
		return -EINVAL;
	/* Again if another waiter of this file was faster. */
	do {
		u64 fired[IVSHMEM_SET_WORDS];

		ret = ivshmem_event_sleep(ivf, wait->vectors,
					  wait->timeout_ns < 0 ? NULL : &end);
		if (ret)
			return ret;
		ret = ivshmem_event_lock(ivf, !wait->timeout_ns);
		if (ret)
			return ret == -EAGAIN ? -ETIMEDOUT : -EINTR;
		memcpy(fired, wait->vectors, sizeof(fired));
		any = ivshmem_event_take(ivf, fired);
		mutex_unlock(&ivf->read_lock);
		if (any)
			memcpy(wait->vectors, fired, sizeof(fired));
	} while (!any);
	return 0;
}
