// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-bufs: a range of BAR2 as a file that other drivers can work on, GPU and
 * video above all. Called by the ioctl table in ioctl.c; only devices with
 * struct pages have them (shmem_pages.c).
 *
 * A dma-buf outlives the device. Its own mappings are revoked with all others,
 * since they share the inode. What another device has mapped for its DMA cannot
 * be taken away: the removal waits for it, as for pinned pages.
 */
#include "ivshmem_drv.h"

#ifdef IVSHMEM_HAVE_DMABUF
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/scatterlist.h>

/* An sg entry's length has 32 bits. */
#define IVSHMEM_DMABUF_SG_MAX	SZ_1G

/**
 * struct ivshmem_dmabuf_range - what a dma-buf stands for
 * @ivd: the device, referenced
 * @offset: first byte, page aligned
 * @length: bytes, whole pages
 * @lock: protects @mapped; innermost
 * @mapped: struct ivshmem_dmabuf_user, those whose device has it mapped
 */
struct ivshmem_dmabuf_range {
	struct ivshmem_device *ivd;
	u64 offset;
	u64 length;
	struct mutex lock;
	struct list_head mapped;
};

/* One device that is attached. */
struct ivshmem_dmabuf_user {
	struct device *dev;
	struct sg_table table;
	enum dma_data_direction direction;
	struct list_head entry;
};

static int ivshmem_dmabuf_fill_table(struct sg_table *table,
				     const struct ivshmem_dmabuf_range *range,
				     struct device *dev)
{
	u64 max = min_t(u64, dma_get_max_seg_size(dev) & PAGE_MASK,
			IVSHMEM_DMABUF_SG_MAX);
	u64 left = range->length;
	phys_addr_t phys = range->ivd->shmem_phys + range->offset;
	struct scatterlist *sg;
	unsigned int i;
	int ret;

	max = max_t(u64, max, PAGE_SIZE);
	ret = sg_alloc_table(table, DIV_ROUND_UP_ULL(left, max), GFP_KERNEL);
	if (ret)
		return ret;
	for_each_sgtable_sg(table, sg, i) {
		u64 part = min(left, max);

		sg_set_page(sg, pfn_to_page(PHYS_PFN(phys)), part, 0);
		phys += part;
		left -= part;
	}
	return 0;
}

static int ivshmem_dmabuf_attach(struct dma_buf *dmabuf,
				 struct dma_buf_attachment *attachment)
{
	struct ivshmem_dmabuf_range *range = dmabuf->priv;
	struct ivshmem_dmabuf_user *user = kzalloc(sizeof(*user), GFP_KERNEL);
	int ret = -ENODEV;

	if (!user)
		return -ENOMEM;
	user->dev = attachment->dev;
	/* The struct pages that the table names go with the device. */
	down_read(&range->ivd->lock);
	if (!range->ivd->dead)
		ret = ivshmem_dmabuf_fill_table(&user->table, range, user->dev);
	up_read(&range->ivd->lock);
	if (ret) {
		kfree(user);
		return ret;
	}
	attachment->priv = user;
	return 0;
}

static void ivshmem_dmabuf_detach(struct dma_buf *dmabuf,
				  struct dma_buf_attachment *attachment)
{
	struct ivshmem_dmabuf_user *user = attachment->priv;

	sg_free_table(&user->table);
	kfree(user);
}

static struct sg_table *
ivshmem_dmabuf_map(struct dma_buf_attachment *attachment,
		   enum dma_data_direction direction)
{
	struct ivshmem_dmabuf_range *range = attachment->dmabuf->priv;
	struct ivshmem_dmabuf_user *user = attachment->priv;
	int ret = -ENODEV;

	down_read(&range->ivd->lock);
	if (!range->ivd->dead)
		ret = dma_map_sgtable(user->dev, &user->table, direction, 0);
	if (!ret)
		atomic_inc(&range->ivd->nr_dmabuf_maps);
	up_read(&range->ivd->lock);
	if (ret)
		return ERR_PTR(ret);
	user->direction = direction;
	mutex_lock(&range->lock);
	list_add(&user->entry, &range->mapped);
	mutex_unlock(&range->lock);
	return &user->table;
}

static void ivshmem_dmabuf_unmap(struct dma_buf_attachment *attachment,
				 struct sg_table *table,
				 enum dma_data_direction direction)
{
	struct ivshmem_dmabuf_range *range = attachment->dmabuf->priv;
	struct ivshmem_dmabuf_user *user = attachment->priv;

	mutex_lock(&range->lock);
	list_del(&user->entry);
	mutex_unlock(&range->lock);
	dma_unmap_sgtable(user->dev, table, direction, 0);
	/* Last: from here on a removal that waits may go on. */
	atomic_dec(&range->ivd->nr_dmabuf_maps);
}

/*
 * What is synchronised is each device's mapping, as it was mapped: the direction of
 * the program that looks may be another.
 */
static int ivshmem_dmabuf_begin_cpu_access(struct dma_buf *dmabuf,
					   enum dma_data_direction direction)
{
	struct ivshmem_dmabuf_range *range = dmabuf->priv;
	struct ivshmem_dmabuf_user *user;

	if (READ_ONCE(range->ivd->dead))
		return -ENODEV;
	mutex_lock(&range->lock);
	list_for_each_entry(user, &range->mapped, entry)
		dma_sync_sgtable_for_cpu(user->dev, &user->table,
					 user->direction);
	mutex_unlock(&range->lock);
	return 0;
}

static int ivshmem_dmabuf_end_cpu_access(struct dma_buf *dmabuf,
					 enum dma_data_direction direction)
{
	struct ivshmem_dmabuf_range *range = dmabuf->priv;
	struct ivshmem_dmabuf_user *user;

	if (READ_ONCE(range->ivd->dead))
		return -ENODEV;
	mutex_lock(&range->lock);
	list_for_each_entry(user, &range->mapped, entry)
		dma_sync_sgtable_for_device(user->dev, &user->table,
					    user->direction);
	mutex_unlock(&range->lock);
	return 0;
}

static int ivshmem_dmabuf_mmap(struct dma_buf *dmabuf,
			       struct vm_area_struct *vma)
{
	struct ivshmem_dmabuf_range *range = dmabuf->priv;

	vma->vm_pgoff += range->offset >> PAGE_SHIFT;
	return ivshmem_shmem_map(range->ivd, vma);
}

static void ivshmem_dmabuf_release(struct dma_buf *dmabuf)
{
	struct ivshmem_dmabuf_range *range = dmabuf->priv;

	ivshmem_device_put(range->ivd);
	kfree(range);
}

static const struct dma_buf_ops ivshmem_dmabuf_ops = {
	.attach = ivshmem_dmabuf_attach,
	.detach = ivshmem_dmabuf_detach,
	.map_dma_buf = ivshmem_dmabuf_map,
	.unmap_dma_buf = ivshmem_dmabuf_unmap,
	.begin_cpu_access = ivshmem_dmabuf_begin_cpu_access,
	.end_cpu_access = ivshmem_dmabuf_end_cpu_access,
	.mmap = ivshmem_dmabuf_mmap,
	.release = ivshmem_dmabuf_release,
};

static struct file *ivshmem_dmabuf_create(struct ivshmem_dmabuf_range *range)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;

	info.ops = &ivshmem_dmabuf_ops;
	info.size = range->length;
	info.flags = O_RDWR;
	info.priv = range;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf))
		return ERR_CAST(dmabuf);
	/* Before any mmap: see shmem.c. */
	dmabuf->file->f_mapping = range->ivd->inode->i_mapping;
	return dmabuf->file;
}

static bool ivshmem_dmabuf_exists(const struct ivshmem_device *ivd, u64 offset,
				  u64 length)
{
	return length && PAGE_ALIGNED(offset) && PAGE_ALIGNED(length) &&
	       offset <= ivd->shmem_size && length <= ivd->shmem_size - offset;
}

/**
 * ivshmem_dmabuf_export() - make a dma-buf of a range of BAR2
 * @ivd: a device
 * @offset: as the user gave it
 * @length: as the user gave it
 *
 * Return: its file, to be given to the user or put; or -EOPNOTSUPP without
 * struct pages, -EINVAL, -ENODEV, -ENFILE, -ENOMEM.
 */
struct file *ivshmem_dmabuf_export(struct ivshmem_device *ivd, u64 offset,
				   u64 length)
{
	struct ivshmem_dmabuf_range *range;
	struct file *file;

	if (READ_ONCE(ivd->dead))
		return ERR_PTR(-ENODEV);
	if (!ivd->has_pages)
		return ERR_PTR(-EOPNOTSUPP);
	if (!ivshmem_dmabuf_exists(ivd, offset, length))
		return ERR_PTR(-EINVAL);
	range = kzalloc(sizeof(*range), GFP_KERNEL_ACCOUNT);
	if (!range)
		return ERR_PTR(-ENOMEM);
	range->ivd = ivd;
	range->offset = offset;
	range->length = length;
	mutex_init(&range->lock);
	INIT_LIST_HEAD(&range->mapped);
	kref_get(&ivd->ref);
	file = ivshmem_dmabuf_create(range);
	if (IS_ERR(file)) {
		ivshmem_device_put(ivd);
		kfree(range);
	}
	return file;
}

#if COMPAT_MODULE_IMPORT_NS == 1
MODULE_IMPORT_NS(DMA_BUF);
#else
MODULE_IMPORT_NS("DMA_BUF");
#endif

#else

struct file *ivshmem_dmabuf_export(struct ivshmem_device *ivd, u64 offset,
				   u64 length)
{
	return ERR_PTR(READ_ONCE(ivd->dead) ? -ENODEV : -EOPNOTSUPP);
}

#endif
