// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/ivshmem_importer: a device that works on a dma-buf, as a GPU would. The
 * ioctl IMPORT attaches to a dma-buf and maps it for DMA; then pread() and
 * pwrite() move bytes by the addresses that the exporter gave; RELEASE, or
 * closing the file, lets go.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define IMPORTER_IMPORT		_IO('x', 0x80)
#define IMPORTER_RELEASE	_IO('x', 0x81)

#ifndef HAVE_MAP_ATTACHMENT_UNLOCKED
#define dma_buf_map_attachment_unlocked dma_buf_map_attachment
#define dma_buf_unmap_attachment_unlocked dma_buf_unmap_attachment
#endif

static struct platform_device *importer_pdev;

/* One open file; one caller at a time. */
struct importer {
	struct mutex lock;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attachment;
	struct sg_table *table;
};

static int importer_attach(struct importer *imp)
{
	imp->attachment = dma_buf_attach(imp->dmabuf, &importer_pdev->dev);
	if (IS_ERR(imp->attachment))
		return PTR_ERR(imp->attachment);
	imp->table = dma_buf_map_attachment_unlocked(imp->attachment,
						     DMA_BIDIRECTIONAL);
	if (IS_ERR(imp->table)) {
		dma_buf_detach(imp->dmabuf, imp->attachment);
		return PTR_ERR(imp->table);
	}
	return 0;
}

static int importer_import(struct importer *imp, int fd)
{
	int ret;

	if (imp->dmabuf)
		return -EBUSY;
	imp->dmabuf = dma_buf_get(fd);
	if (IS_ERR(imp->dmabuf)) {
		ret = PTR_ERR(imp->dmabuf);
		imp->dmabuf = NULL;
		return ret;
	}
	ret = importer_attach(imp);
	if (ret) {
		dma_buf_put(imp->dmabuf);
		imp->dmabuf = NULL;
	}
	return ret;
}

static void importer_release_buf(struct importer *imp)
{
	if (!imp->dmabuf)
		return;
	dma_buf_unmap_attachment_unlocked(imp->attachment, imp->table,
					  DMA_BIDIRECTIONAL);
	dma_buf_detach(imp->dmabuf, imp->attachment);
	dma_buf_put(imp->dmabuf);
	imp->dmabuf = NULL;
}

static long importer_ioctl(struct file *file, unsigned int cmd,
			   unsigned long arg)
{
	struct importer *imp = file->private_data;
	long ret = 0;

	mutex_lock(&imp->lock);
	if (cmd == IMPORTER_IMPORT)
		ret = importer_import(imp, arg);
	else if (cmd == IMPORTER_RELEASE)
		importer_release_buf(imp);
	else
		ret = -ENOTTY;
	mutex_unlock(&imp->lock);
	return ret;
}

static ssize_t importer_move(struct importer *imp, void *buf, size_t len,
			     loff_t pos, bool to_device)
{
	struct sg_table *table = imp->table;

	if (!imp->dmabuf || pos > imp->dmabuf->size ||
	    len > imp->dmabuf->size - pos)
		return -EINVAL;
	return to_device ?
		sg_pcopy_from_buffer(table->sgl, table->orig_nents, buf, len, pos) :
		sg_pcopy_to_buffer(table->sgl, table->orig_nents, buf, len, pos);
}

static ssize_t importer_read(struct file *file, char __user *ubuf, size_t len,
			     loff_t *pos)
{
	struct importer *imp = file->private_data;
	void *buf = kzalloc(min_t(size_t, len, SZ_1M), GFP_KERNEL);
	ssize_t ret = -ENOMEM;

	if (!buf)
		return ret;
	mutex_lock(&imp->lock);
	ret = importer_move(imp, buf, min_t(size_t, len, SZ_1M), *pos, false);
	mutex_unlock(&imp->lock);
	if (ret > 0 && copy_to_user(ubuf, buf, ret))
		ret = -EFAULT;
	kfree(buf);
	return ret;
}

static ssize_t importer_write(struct file *file, const char __user *ubuf,
			      size_t len, loff_t *pos)
{
	struct importer *imp = file->private_data;
	void *buf = memdup_user(ubuf, min_t(size_t, len, SZ_1M));
	ssize_t ret;

	if (IS_ERR(buf))
		return PTR_ERR(buf);
	mutex_lock(&imp->lock);
	ret = importer_move(imp, buf, min_t(size_t, len, SZ_1M), *pos, true);
	mutex_unlock(&imp->lock);
	kfree(buf);
	return ret;
}

static int importer_open(struct inode *inode, struct file *file)
{
	struct importer *imp = kzalloc(sizeof(*imp), GFP_KERNEL);

	if (!imp)
		return -ENOMEM;
	mutex_init(&imp->lock);
	file->private_data = imp;
	return 0;
}

static int importer_close(struct inode *inode, struct file *file)
{
	importer_release_buf(file->private_data);
	kfree(file->private_data);
	return 0;
}

static const struct file_operations importer_fops = {
	.owner = THIS_MODULE,
	.open = importer_open,
	.release = importer_close,
	.read = importer_read,
	.write = importer_write,
	.unlocked_ioctl = importer_ioctl,
};

static struct miscdevice importer_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ivshmem_importer",
	.fops = &importer_fops,
	.mode = 0600,
};

static int __init importer_init(void)
{
	int ret;

	importer_pdev = platform_device_register_simple("ivshmem_importer", -1,
							NULL, 0);
	if (IS_ERR(importer_pdev))
		return PTR_ERR(importer_pdev);
	ret = dma_coerce_mask_and_coherent(&importer_pdev->dev,
					   DMA_BIT_MASK(64));
	if (!ret)
		ret = misc_register(&importer_device);
	if (ret)
		platform_device_unregister(importer_pdev);
	return ret;
}
module_init(importer_init);

static void __exit importer_exit(void)
{
	misc_deregister(&importer_device);
	platform_device_unregister(importer_pdev);
}
module_exit(importer_exit);

MODULE_DESCRIPTION("Imports a dma-buf for tests");
MODULE_LICENSE("GPL");
#ifdef HAVE_IMPORT_NS_STRING
MODULE_IMPORT_NS("DMA_BUF");
#else
MODULE_IMPORT_NS(DMA_BUF);
#endif
