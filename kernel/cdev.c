// SPDX-License-Identifier: GPL-2.0-only
/*
 * The node: open and close, the ioctl table, and the publication of
 * /dev/ivshmemN. One cdev stands for all minors; which device a minor means is
 * looked up at open.
 */
#include <linux/cdev.h>
#include <linux/file.h>
#include <linux/nospec.h>
#include <linux/xarray.h>

#include "ivshmem_drv.h"

#define IVSHMEM_CLASS_NAME "ivshmem"

static struct class *ivshmem_class;
static struct cdev *ivshmem_cdev;
static dev_t ivshmem_devt;

/* Devices by minor. An entry holds no reference: unpublish comes first. */
static DEFINE_XARRAY_ALLOC(ivshmem_devices);

static struct ivshmem_device *ivshmem_cdev_get(unsigned int minor)
{
	struct ivshmem_device *ivd;

	xa_lock(&ivshmem_devices);
	ivd = xa_load(&ivshmem_devices, minor);
	if (ivd)
		kref_get(&ivd->ref);
	xa_unlock(&ivshmem_devices);
	return ivd;
}

static int ivshmem_cdev_open(struct inode *inode, struct file *file)
{
	struct ivshmem_device *ivd = ivshmem_cdev_get(iminor(inode));
	struct ivshmem_file *ivf;

	if (!ivd)
		return -ENODEV;
	ivf = kzalloc(struct_size(ivf, seen, ivd->nr_vectors),
		      GFP_KERNEL_ACCOUNT);
	if (!ivf) {
		ivshmem_device_put(ivd);
		return -ENOMEM;
	}
	ivf->ivd = ivd;
	mutex_init(&ivf->read_lock);
	ivshmem_event_skip(ivf);
	ivshmem_mask_files(ivd, 1);
	file->private_data = ivf;
	/* read() can be told not to wait: RWF_NOWAIT, io_uring. */
	file->f_mode |= FMODE_NOWAIT;
	/* Before any mmap: see shmem.c. */
	file->f_mapping = ivd->inode->i_mapping;
	return 0;
}

static int ivshmem_cdev_close(struct inode *inode, struct file *file)
{
	struct ivshmem_file *ivf = file->private_data;

	ivshmem_vector_unbind_all(ivf);
	ivshmem_mask_files(ivf->ivd, -1);
	ivshmem_device_put(ivf->ivd);
	kfree(ivf);
	return 0;
}

static loff_t ivshmem_cdev_llseek(struct file *file, loff_t offset, int whence)
{
	struct ivshmem_file *ivf = file->private_data;

	if (READ_ONCE(ivf->ivd->dead))
		return -ENODEV;
	return fixed_size_llseek(file, offset, whence, ivf->ivd->shmem_size);
}

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
struct ivshmem_ioctl {
	unsigned int cmd;
	u32 size;
	u32 min_size;
	bool reply;
	int (*run)(struct file *file, union ivshmem_arg *arg);
	void (*finish)(union ivshmem_arg *arg, bool known);
};

static const struct ivshmem_ioctl ivshmem_ioctls[] = {
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
static int ivshmem_ioctl_copy_in(const struct ivshmem_ioctl *ioctl,
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

static long ivshmem_cdev_ioctl(struct file *file, unsigned int cmd,
			       unsigned long uarg)
{
	void __user *user_arg = (void __user *)uarg;
	const struct ivshmem_ioctl *ioctl;
	unsigned int nr = _IOC_NR(cmd);
	union ivshmem_arg arg = {};
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

static int ivshmem_cdev_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct ivshmem_file *ivf = file->private_data;

	if (ivshmem_regs_owns(ivf->ivd, vma))
		return ivshmem_regs_mmap(file, vma);
	return ivshmem_shmem_mmap(file, vma);
}

static const struct file_operations ivshmem_cdev_fops = {
	.owner = THIS_MODULE,
	.open = ivshmem_cdev_open,
	.release = ivshmem_cdev_close,
	.llseek = ivshmem_cdev_llseek,
	.read = ivshmem_event_read,
	.read_iter = ivshmem_event_read_iter,
	.poll = ivshmem_event_poll,
	.mmap = ivshmem_cdev_mmap,
	.get_unmapped_area = ivshmem_shmem_get_unmapped_area,
	.unlocked_ioctl = ivshmem_cdev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/**
 * ivshmem_cdev_reserve() - get a minor that is not yet to be opened
 * @ivd: a device; its minor is set
 *
 * Undone by ivshmem_cdev_release().
 */
int ivshmem_cdev_reserve(struct ivshmem_device *ivd)
{
	return xa_alloc(&ivshmem_devices, &ivd->minor, NULL,
			XA_LIMIT(0, MINORMASK), GFP_KERNEL);
}

/** ivshmem_cdev_release() - no open finds the device any more */
void ivshmem_cdev_release(struct ivshmem_device *ivd)
{
	xa_erase(&ivshmem_devices, ivd->minor);
}

/**
 * ivshmem_cdev_publish() - let users open the device
 * @ivd: a device that has all it needs to be used
 *
 * On failure a user may have opened it all the same, through a node of his own.
 */
int ivshmem_cdev_publish(struct ivshmem_device *ivd)
{
	struct device *dev;

	/* Cannot fail: the entry is reserved. */
	xa_store(&ivshmem_devices, ivd->minor, ivd, GFP_KERNEL);
	dev = device_create_with_groups(ivshmem_class, &ivd->pdev->dev,
					ivshmem_devt + ivd->minor, ivd,
					ivshmem_sysfs_groups,
					IVSHMEM_CLASS_NAME "%u", ivd->minor);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	ivd->chardev = dev;
	return 0;
}

/** ivshmem_cdev_unpublish() - take the node away, and the attributes */
void ivshmem_cdev_unpublish(struct ivshmem_device *ivd)
{
	device_destroy(ivshmem_class, ivd->chardev->devt);
}

static int __init ivshmem_cdev_add(void)
{
	int ret;

	ivshmem_cdev = cdev_alloc();
	if (!ivshmem_cdev)
		return -ENOMEM;
	ivshmem_cdev->ops = &ivshmem_cdev_fops;
	ivshmem_cdev->owner = THIS_MODULE;
	ret = cdev_add(ivshmem_cdev, ivshmem_devt, MINORMASK + 1);
	if (ret)
		kobject_put(&ivshmem_cdev->kobj);
	return ret;
}

int __init ivshmem_cdev_init(void)
{
	int ret;

	ret = alloc_chrdev_region(&ivshmem_devt, 0, MINORMASK + 1,
				  IVSHMEM_CLASS_NAME);
	if (ret)
		return ret;
	ivshmem_class = class_create(IVSHMEM_CLASS_NAME);
	if (IS_ERR(ivshmem_class)) {
		ret = PTR_ERR(ivshmem_class);
		goto err_unregister_region;
	}
	ret = ivshmem_cdev_add();
	if (ret)
		goto err_destroy_class;
	return 0;

err_destroy_class:
	class_destroy(ivshmem_class);
err_unregister_region:
	unregister_chrdev_region(ivshmem_devt, MINORMASK + 1);
	return ret;
}

void ivshmem_cdev_exit(void)
{
	cdev_del(ivshmem_cdev);
	class_destroy(ivshmem_class);
	unregister_chrdev_region(ivshmem_devt, MINORMASK + 1);
	xa_destroy(&ivshmem_devices);
}
