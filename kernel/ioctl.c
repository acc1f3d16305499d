// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls: how an argument comes in and goes out, the same for all, and what
 * each does. Their contract is the uAPI header.
 */
#include <linux/file.h>
#include <linux/nospec.h>

#include "ivshmem_drv.h"

/* What every doorbell device offers. */
#define IVSHMEM_DOORBELL_FEATURES					\
	(IVSHMEM_FEATURE_DOORBELL | IVSHMEM_FEATURE_VECTOR_MASK |	\
	 IVSHMEM_FEATURE_VECTOR_STATS | IVSHMEM_FEATURE_WAIT)

/* Any ioctl's argument; all begin like the head. */
union ivshmem_arg {
	struct {
		u32 size;
		u32 flags;
	} head;
	struct ivshmem_info info;
	struct ivshmem_ring ring;
	struct ivshmem_vector_eventfd vector_eventfd;
	struct {
		struct ivshmem_dmabuf arg;
		struct file *file;	/* until the user has its number */
	} dmabuf;
	struct ivshmem_vector_mask vector_mask;
	struct ivshmem_vector_stats vector_stats;
	struct ivshmem_wait wait;
};

static u64 ivshmem_features(const struct ivshmem_device *ivd)
{
	u64 features = 0;

	if (ivd->has_doorbell)
		features |= IVSHMEM_DOORBELL_FEATURES;
	if (ivshmem_regs_offset(ivd))
		features |= IVSHMEM_FEATURE_MAPPED_REGS;
	if (ivd->has_pages)
		features |= IVSHMEM_FEATURE_STRUCT_PAGES;
#ifdef IVSHMEM_HAVE_DMABUF
	if (ivd->has_pages)
		features |= IVSHMEM_FEATURE_DMABUF;
#endif
	return features;
}

static int ivshmem_ioctl_info(struct file *file, union ivshmem_arg *arg)
{
	struct ivshmem_file *ivf = file->private_data;
	struct ivshmem_device *ivd = ivf->ivd;
	struct ivshmem_info *info = &arg->info;
	int ret = -ENODEV;

	down_read(&ivd->lock);
	if (!ivd->dead)
		ret = ivshmem_pci_own_id(ivd, &info->own_id);
	up_read(&ivd->lock);
	if (ret)
		return ret;
	info->features = ivshmem_features(ivd);
	info->regs_offset = ivshmem_regs_offset(ivd);
	info->shmem_size = ivd->shmem_size;
	info->generation = atomic64_read(&ivd->generation);
	info->nr_vectors = ivd->nr_vectors;
	info->revision = ivd->revision;
	info->page_attr = ivshmem_page_attr();
	return 0;
}

static int ivshmem_ioctl_ring(struct file *file, union ivshmem_arg *arg)
{
	struct ivshmem_file *ivf = file->private_data;
	struct ivshmem_device *ivd = ivf->ivd;
	int ret = -ENODEV;

	if (!(file->f_mode & FMODE_WRITE))
		return -EACCES;
	down_read(&ivd->lock);
	if (!ivd->dead)
		ret = ivshmem_doorbell_ring(ivd, arg->ring.peer,
					    arg->ring.vector);
	up_read(&ivd->lock);
	return ret;
}

static int ivshmem_ioctl_vector_eventfd(struct file *file,
					union ivshmem_arg *arg)
{
	struct eventfd_ctx *eventfd = NULL;
	s32 fd = arg->vector_eventfd.eventfd;

	if (fd != -1) {
		eventfd = eventfd_ctx_fdget(fd);
		if (IS_ERR(eventfd))
			return PTR_ERR(eventfd);
	}
	return ivshmem_vector_bind(file->private_data,
				   arg->vector_eventfd.vector, eventfd);
}

static int ivshmem_ioctl_dmabuf(struct file *file, union ivshmem_arg *arg)
{
	struct ivshmem_file *ivf = file->private_data;
	struct ivshmem_dmabuf *dmabuf = &arg->dmabuf.arg;
	int fd;

	if ((file->f_mode & (FMODE_READ | FMODE_WRITE)) !=
	    (FMODE_READ | FMODE_WRITE))
		return -EACCES;
	if (dmabuf->reserved)
		return -EINVAL;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	arg->dmabuf.file = ivshmem_dmabuf_export(ivf->ivd, dmabuf->offset,
						 dmabuf->length);
	if (IS_ERR(arg->dmabuf.file)) {
		put_unused_fd(fd);
		return PTR_ERR(arg->dmabuf.file);
	}
	dmabuf->fd = fd;
	return 0;
}

/* Only a number that the user knows becomes a file. */
static void ivshmem_ioctl_dmabuf_finish(union ivshmem_arg *arg, bool known)
{
	if (known) {
		fd_install(arg->dmabuf.arg.fd, arg->dmabuf.file);
		return;
	}
	put_unused_fd(arg->dmabuf.arg.fd);
	fput(arg->dmabuf.file);
}

static int ivshmem_ioctl_vector_mask(struct file *file,
				     union ivshmem_arg *arg)
{
	return ivshmem_vector_set_mask(file->private_data,
				       arg->vector_mask.vector,
				       arg->vector_mask.mode);
}

static int ivshmem_ioctl_vector_stats(struct file *file,
				      union ivshmem_arg *arg)
{
	struct ivshmem_file *ivf = file->private_data;
	int ret;

	down_read(&ivf->ivd->lock);
	ret = ivshmem_vector_get_stats(ivf->ivd, &arg->vector_stats);
	up_read(&ivf->ivd->lock);
	return ret;
}

static int ivshmem_ioctl_wait(struct file *file, union ivshmem_arg *arg)
{
	return ivshmem_event_wait_set(file->private_data, &arg->wait);
}

/*
 * size is that of the struct we know, min_size that of its first version, and
 * reply says whether it is copied back. finish is called when run succeeded,
 * and told whether the user has the reply.
 */
struct ivshmem_ioctl_entry {
	unsigned int cmd;
	u32 size;
	u32 min_size;
	bool reply;
	int (*run)(struct file *file, union ivshmem_arg *arg);
	void (*finish)(union ivshmem_arg *arg, bool known);
};

static const struct ivshmem_ioctl_entry ivshmem_ioctls[] = {
	{
		.cmd = IVSHMEM_INFO,
		.size = sizeof(struct ivshmem_info),
		.min_size = offsetofend(struct ivshmem_info, page_attr),
		.reply = true,
		.run = ivshmem_ioctl_info,
	},
	{
		.cmd = IVSHMEM_RING,
		.size = sizeof(struct ivshmem_ring),
		.min_size = offsetofend(struct ivshmem_ring, vector),
		.run = ivshmem_ioctl_ring,
	},
	{
		.cmd = IVSHMEM_VECTOR_EVENTFD,
		.size = sizeof(struct ivshmem_vector_eventfd),
		.min_size = offsetofend(struct ivshmem_vector_eventfd, eventfd),
		.run = ivshmem_ioctl_vector_eventfd,
	},
	{
		.cmd = IVSHMEM_VECTOR_MASK,
		.size = sizeof(struct ivshmem_vector_mask),
		.min_size = offsetofend(struct ivshmem_vector_mask, mode),
		.run = ivshmem_ioctl_vector_mask,
	},
	{
		.cmd = IVSHMEM_VECTOR_STATS,
		.size = sizeof(struct ivshmem_vector_stats),
		.min_size = offsetofend(struct ivshmem_vector_stats, backoffs),
		.reply = true,
		.run = ivshmem_ioctl_vector_stats,
	},
	[_IOC_NR(IVSHMEM_DMABUF)] = {
		.cmd = IVSHMEM_DMABUF,
		.size = sizeof(struct ivshmem_dmabuf),
		.min_size = offsetofend(struct ivshmem_dmabuf, reserved),
		.reply = true,
		.run = ivshmem_ioctl_dmabuf,
		.finish = ivshmem_ioctl_dmabuf_finish,
	},
	[_IOC_NR(IVSHMEM_WAIT)] = {
		.cmd = IVSHMEM_WAIT,
		.size = sizeof(struct ivshmem_wait),
		.min_size = offsetofend(struct ivshmem_wait, vectors),
		.reply = true,
		.run = ivshmem_ioctl_wait,
	},
};

/* Copy an argument in; user_size is as long as the user says it is. */
static int ivshmem_ioctl_copy_in(const struct ivshmem_ioctl_entry *ioctl,
				 union ivshmem_arg *arg, void __user *uarg,
				 u32 *user_size)
{
	int ret;

	if (get_user(*user_size, (u32 __user *)uarg))
		return -EFAULT;
	if (*user_size < ioctl->min_size)
		return -EINVAL;
	if (*user_size > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(arg, ioctl->size, uarg, *user_size);
	if (ret)
		return ret;
	/* The user may have changed it between the two reads. */
	arg->head.size = *user_size;
	return arg->head.flags ? -EOPNOTSUPP : 0;
}

long ivshmem_ioctl(struct file *file, unsigned int cmd, unsigned long uarg)
{
	void __user *user_arg = (void __user *)uarg;
	const struct ivshmem_ioctl_entry *ioctl;
	unsigned int nr = _IOC_NR(cmd);
	union ivshmem_arg arg;	/* copy_in fills what run and copy_to_user use */
	u32 user_size;
	int ret;

	if (nr >= ARRAY_SIZE(ivshmem_ioctls))
		return -ENOTTY;
	ioctl = &ivshmem_ioctls[array_index_nospec(nr, ARRAY_SIZE(ivshmem_ioctls))];
	if (ioctl->cmd != cmd)
		return -ENOTTY;
	ret = ivshmem_ioctl_copy_in(ioctl, &arg, user_arg, &user_size);
	if (!ret)
		ret = ioctl->run(file, &arg);
	if (ret)
		return ret;
	if (ioctl->reply &&
	    copy_to_user(user_arg, &arg, min(user_size, ioctl->size)))
		ret = -EFAULT;
	if (ioctl->finish)
		ioctl->finish(&arg, !ret);
	return ret;
}
