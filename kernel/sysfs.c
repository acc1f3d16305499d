// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/class/ivshmem/ivshmemN/: what INFO says, one value a file. The class
 * device is unregistered before the hardware goes, which waits for running
 * reads, so that no lock is needed here.
 */
#include "ivshmem_drv.h"

static ssize_t own_id_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	u32 own_id;
	int ret = ivshmem_pci_own_id(dev_get_drvdata(dev), &own_id);

	return ret ? ret : sysfs_emit(buf, "%u\n", own_id);
}
static DEVICE_ATTR_RO(own_id);

static ssize_t nr_vectors_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	struct ivshmem_device *ivd = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%u\n", ivd->nr_vectors);
}
static DEVICE_ATTR_RO(nr_vectors);

static ssize_t shmem_size_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	struct ivshmem_device *ivd = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%llu\n", ivd->shmem_size);
}
static DEVICE_ATTR_RO(shmem_size);

static ssize_t revision_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	struct ivshmem_device *ivd = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%u\n", ivd->revision);
}
static DEVICE_ATTR_RO(revision);

static ssize_t generation_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	struct ivshmem_device *ivd = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%llu\n", (u64)atomic64_read(&ivd->generation));
}
static DEVICE_ATTR_RO(generation);

static ssize_t page_attr_show(struct device *dev, struct device_attribute *attr,
			      char *buf)
{
	return sysfs_emit(buf, "%s\n",
			  ivshmem_page_attr_name(ivshmem_page_attr()));
}
static DEVICE_ATTR_RO(page_attr);

static ssize_t page_size_show(struct device *dev, struct device_attribute *attr,
			      char *buf)
{
	struct ivshmem_device *ivd = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%lu\n", PAGE_SIZE << ivd->shmem_order);
}
static DEVICE_ATTR_RO(page_size);

static ssize_t struct_pages_show(struct device *dev,
				 struct device_attribute *attr, char *buf)
{
	struct ivshmem_device *ivd = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%d\n", ivd->has_pages);
}
static DEVICE_ATTR_RO(struct_pages);

static struct attribute *ivshmem_sysfs_attrs[] = {
	&dev_attr_own_id.attr,
	&dev_attr_nr_vectors.attr,
	&dev_attr_shmem_size.attr,
	&dev_attr_revision.attr,
	&dev_attr_generation.attr,
	&dev_attr_page_attr.attr,
	&dev_attr_page_size.attr,
	&dev_attr_struct_pages.attr,
	NULL
};

static const struct attribute_group ivshmem_sysfs_group = {
	.attrs = ivshmem_sysfs_attrs,
};

const struct attribute_group *ivshmem_sysfs_groups[] = {
	&ivshmem_sysfs_group,
	NULL
};
