// SPDX-License-Identifier: GPL-2.0-only
/*
 * Another driver for the device, as vfio-pci or uio_ivshmem would be: binds
 * what no driver has when it is loaded, and does nothing with it.
 */
#include <linux/module.h>
#include <linux/pci.h>

static int ivshmem_other_probe(struct pci_dev *pdev,
			       const struct pci_device_id *id)
{
	return 0;
}

static const struct pci_device_id ivshmem_other_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_REDHAT_QUMRANET, 0x1110) },
	{ }
};

static struct pci_driver ivshmem_other_driver = {
	.name = "ivshmem_other",
	.id_table = ivshmem_other_ids,
	.probe = ivshmem_other_probe,
};
module_pci_driver(ivshmem_other_driver);

MODULE_DESCRIPTION("Another driver for the inter-VM shared memory device");
MODULE_LICENSE("GPL");
