// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI device: module init and exit, probe and remove, BARs, power. Brings
 * a struct ivshmem_device to life and to death; calls down into every other
 * file and is called by the PCI core.
 */
#include "ivshmem_drv.h"

/* Intel Celadon gives the same ids to a virtio transport: not for us. */
#define IVSHMEM_CLASS_FOREIGN	0xff80

/**
 * ivshmem_pci_own_id() - read IVPosition
 * @ivd: a device whose registers are mapped
 * @own_id: set on success
 *
 * Read fresh each time: after migration it may be another.
 *
 * Return: 0, or -ENODEV when no device answers.
 */
int ivshmem_pci_own_id(struct ivshmem_device *ivd, u32 *own_id)
{
	*own_id = ioread32(ivd->regs + IVSHMEM_REG_IVPOSITION);
	return *own_id == IVSHMEM_REG_GONE ? -ENODEV : 0;
}

static void ivshmem_device_free(struct kref *ref)
{
	struct ivshmem_device *ivd =
		container_of(ref, struct ivshmem_device, ref);

	ivshmem_shmem_release(ivd);
	ivshmem_regs_release(ivd);
	ivshmem_vector_release(ivd);
	kfree(ivd);
}

/** ivshmem_device_put() - drop a reference; the last one frees the device */
void ivshmem_device_put(struct ivshmem_device *ivd)
{
	kref_put(&ivd->ref, ivshmem_device_free);
}

static struct ivshmem_device *ivshmem_device_alloc(struct pci_dev *pdev)
{
	struct ivshmem_device *ivd = kzalloc(sizeof(*ivd), GFP_KERNEL);

	if (!ivd)
		return NULL;
	kref_init(&ivd->ref);
	init_rwsem(&ivd->lock);
	init_waitqueue_head(&ivd->waiters);
	ivd->pdev = pdev;
	ivd->revision = pdev->revision;
	return ivd;
}

/* Whether the BARs are such as an ivshmem device has; says what is wrong. */
static int ivshmem_pci_check_bars(struct pci_dev *pdev)
{
	unsigned long flags = pci_resource_flags(pdev, IVSHMEM_BAR_SHMEM);
	resource_size_t start = pci_resource_start(pdev, IVSHMEM_BAR_SHMEM);
	resource_size_t len = pci_resource_len(pdev, IVSHMEM_BAR_SHMEM);

	if (!len || !(flags & IORESOURCE_MEM) || flags & IORESOURCE_UNSET) {
		pci_err(pdev, "no shared memory: BAR2 is absent or has no address (if hot-plugged: give the port a larger pref64-reserve=)\n");
		return -ENODEV;
	}
	if (!PAGE_ALIGNED(start) || !PAGE_ALIGNED(len)) {
		pci_err(pdev, "shared memory of %pa bytes at %pa: not whole pages of %lu bytes\n",
			&len, &start, PAGE_SIZE);
		return -ENODEV;
	}
	if (pci_resource_len(pdev, IVSHMEM_BAR_REGS) < IVSHMEM_REGS_SIZE) {
		pci_err(pdev, "no registers: BAR0 is absent or too small\n");
		return -ENODEV;
	}
	return 0;
}

static int ivshmem_pci_map_regs(struct ivshmem_device *ivd)
{
	u32 own_id;

	ivd->regs = pci_iomap(ivd->pdev, IVSHMEM_BAR_REGS, 0);
	if (!ivd->regs)
		return -ENOMEM;
	if (ivshmem_pci_own_id(ivd, &own_id)) {
		pci_err(ivd->pdev, "not responding: its registers read all ones\n");
		pci_iounmap(ivd->pdev, ivd->regs);
		return -ENODEV;
	}
	return 0;
}

/* Enable the device and claim its BARs. */
static int ivshmem_pci_start(struct ivshmem_device *ivd)
{
	struct pci_dev *pdev = ivd->pdev;
	int ret;

	ret = pci_enable_device(pdev);
	if (ret)
		return ret;
	ret = pci_request_regions(pdev, IVSHMEM_NAME);
	if (ret)
		goto err_disable;
	ret = ivshmem_pci_map_regs(ivd);
	if (ret)
		goto err_release_regions;
	/* MSI-X messages are writes of the device. */
	pci_set_master(pdev);
	return 0;

err_release_regions:
	pci_release_regions(pdev);
err_disable:
	pci_disable_device(pdev);
	return ret;
}

static void ivshmem_pci_stop(struct ivshmem_device *ivd)
{
	ivshmem_shmem_stop(ivd);
	ivshmem_regs_stop(ivd);
	pci_clear_master(ivd->pdev);
	pci_iounmap(ivd->pdev, ivd->regs);
	pci_release_regions(ivd->pdev);
	pci_disable_device(ivd->pdev);
}

/*
 * From here on the device is gone for its users. The order matters: no fault
 * may fill a mapping after the revocation, and nobody who is woken may find
 * the device alive.
 */
static void ivshmem_pci_kill(struct ivshmem_device *ivd)
{
	down_write(&ivd->lock);
	WRITE_ONCE(ivd->dead, true);
	up_write(&ivd->lock);
	ivshmem_regs_kill(ivd);
	ivshmem_shmem_revoke(ivd);
	/* First: a poll of io_uring reports what the first wake-up says. */
	ivshmem_event_wake(ivd, EPOLLIN | EPOLLHUP | EPOLLERR);
	ivshmem_vector_fire_all(ivd);
}

static void ivshmem_pci_announce(struct ivshmem_device *ivd)
{
	u32 own_id = 0;

	ivshmem_pci_own_id(ivd, &own_id);
	pci_info(ivd->pdev, "ivshmem%u: %s, %llu KiB, own ID %u, %u vectors\n",
		 ivd->minor, ivd->has_doorbell ? "doorbell" : "plain",
		 ivd->shmem_size >> 10, own_id, ivd->nr_vectors);
	ivshmem_page_attr_notice(ivd);
}

static int ivshmem_pci_setup(struct ivshmem_device *ivd)
{
	int ret;

	ret = ivshmem_pci_start(ivd);
	if (ret)
		return ret;
	ret = ivshmem_cdev_reserve(ivd);
	if (ret < 0)
		goto err_stop;
	ret = ivshmem_shmem_setup(ivd);
	if (ret)
		goto err_release_minor;
	ret = ivshmem_vector_setup(ivd);
	if (ret)
		goto err_release_minor;
	ivshmem_regs_setup(ivd);
	ret = ivshmem_cdev_publish(ivd);
	if (ret)
		goto err_kill;
	return 0;

err_kill:
	ivshmem_pci_kill(ivd);
	ivshmem_vector_stop(ivd);
err_release_minor:
	ivshmem_cdev_release(ivd);
err_stop:
	ivshmem_pci_stop(ivd);
	return ret;
}

static int ivshmem_pci_probe(struct pci_dev *pdev,
			     const struct pci_device_id *id)
{
	struct ivshmem_device *ivd;
	int ret;

	if (pdev->class >> 8 == IVSHMEM_CLASS_FOREIGN)
		return -ENODEV;
	ret = ivshmem_pci_check_bars(pdev);
	if (ret)
		return ret;
	ivd = ivshmem_device_alloc(pdev);
	if (!ivd)
		return -ENOMEM;
	ret = ivshmem_pci_setup(ivd);
	if (ret) {
		ivshmem_device_put(ivd);
		return ret;
	}
	pci_set_drvdata(pdev, ivd);
	ivshmem_debugfs_add(ivd);
	ivshmem_pci_announce(ivd);
	return 0;
}

static void ivshmem_pci_remove(struct pci_dev *pdev)
{
	struct ivshmem_device *ivd = pci_get_drvdata(pdev);

	ivshmem_debugfs_remove(ivd);
	ivshmem_cdev_unpublish(ivd);
	ivshmem_cdev_release(ivd);
	ivshmem_pci_kill(ivd);
	ivshmem_vector_stop(ivd);
	ivshmem_pci_stop(ivd);
	ivshmem_device_put(ivd);
}

/* Rings that came while the device slept are lost: let everybody look. */
static void ivshmem_pci_wake(struct ivshmem_device *ivd)
{
	atomic64_inc(&ivd->generation);
	ivshmem_vector_fire_all(ivd);
}

static int __maybe_unused ivshmem_pci_resume(struct device *dev)
{
	ivshmem_pci_wake(dev_get_drvdata(dev));
	return 0;
}

static int __maybe_unused ivshmem_pci_suspend(struct device *dev)
{
	return 0;
}

static SIMPLE_DEV_PM_OPS(ivshmem_pci_pm_ops, ivshmem_pci_suspend,
			 ivshmem_pci_resume);

/* The PCI core has restored the BARs and MSI-X; memory and own ID stay. */
static void ivshmem_pci_reset_done(struct pci_dev *pdev)
{
	ivshmem_pci_wake(pci_get_drvdata(pdev));
}

static const struct pci_error_handlers ivshmem_pci_err_handler = {
	.reset_done = ivshmem_pci_reset_done,
};

static const struct pci_device_id ivshmem_pci_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_REDHAT_QUMRANET, 0x1110) },
	{ }
};
MODULE_DEVICE_TABLE(pci, ivshmem_pci_ids);

static struct pci_driver ivshmem_pci_driver = {
	.name = IVSHMEM_NAME,
	.id_table = ivshmem_pci_ids,
	.probe = ivshmem_pci_probe,
	.remove = ivshmem_pci_remove,
	.err_handler = &ivshmem_pci_err_handler,
	.driver.pm = &ivshmem_pci_pm_ops,
};

static int __init ivshmem_init(void)
{
	int ret;

	ret = ivshmem_shmem_init();
	if (ret)
		return ret;
	ret = ivshmem_cdev_init();
	if (ret)
		goto err_shmem_exit;
	ivshmem_debugfs_init();
	ret = pci_register_driver(&ivshmem_pci_driver);
	if (ret)
		goto err_debugfs_exit;
	return 0;

err_debugfs_exit:
	ivshmem_debugfs_exit();
	ivshmem_cdev_exit();
err_shmem_exit:
	ivshmem_shmem_exit();
	return ret;
}
module_init(ivshmem_init);

static void __exit ivshmem_exit(void)
{
	pci_unregister_driver(&ivshmem_pci_driver);
	ivshmem_debugfs_exit();
	ivshmem_cdev_exit();
	ivshmem_shmem_exit();
}
module_exit(ivshmem_exit);

MODULE_DESCRIPTION("Guest driver for the inter-VM shared memory device");
MODULE_AUTHOR("The ivshmem-guest authors");
MODULE_VERSION("0.1.0");
MODULE_LICENSE("GPL");
