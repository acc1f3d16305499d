// SPDX-License-Identifier: GPL-2.0-only
/*
 * The node: open and close, and the publication of /dev/ivshmemN. One cdev
 * stands for all minors; which device a minor means is looked up at open.
 */
#include <linux/cdev.h>
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
	.unlocked_ioctl = ivshmem_ioctl,
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
