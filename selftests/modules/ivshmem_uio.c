// SPDX-License-Identifier: GPL-2.0-only
/*
 * BAR2 through UIO, as a driver in user space would have it: binds what no
 * driver has when it is loaded. To compare mappings with, and no more.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/uio_driver.h>

#define BAR_SHMEM 2

static int ivshmem_uio_probe(struct pci_dev *pdev,
			     const struct pci_device_id *id)
{
	struct uio_info *info;
	int ret = pcim_enable_device(pdev);

	if (ret)
		return ret;
	info = devm_kzalloc(&pdev->dev, sizeof(*info), GFP_KERNEL);
	if (!info)
		return -ENOMEM;
	info->name = "ivshmem_uio";
	info->version = "1";
	info->mem[0].addr = pci_resource_start(pdev, BAR_SHMEM);
	info->mem[0].size = pci_resource_len(pdev, BAR_SHMEM);
	info->mem[0].memtype = UIO_MEM_PHYS;
	return devm_uio_register_device(&pdev->dev, info);
}

static const struct pci_device_id ivshmem_uio_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_REDHAT_QUMRANET, 0x1110) },
	{ }
};

static struct pci_driver ivshmem_uio_driver = {
	.name = "ivshmem_uio",
	.id_table = ivshmem_uio_ids,
	.probe = ivshmem_uio_probe,
};
module_pci_driver(ivshmem_uio_driver);

MODULE_DESCRIPTION("The inter-VM shared memory device through UIO");
MODULE_LICENSE("GPL");
