// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page attribute: how user mappings of BAR2 are cached. Here is the
 * parameter cache=, what it does to a page protection, and which attribute that
 * protection has in effect. shmem.c maps with it; INFO and sysfs report it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#ifdef CONFIG_X86
#include <asm/pgtable_types.h>
#endif
#include <linux/pgtable.h>
#include <linux/string.h>

#include "ivshmem_drv.h"

/* BAR2 is memory of the host: write-back is right wherever it lies. */
enum { IVSHMEM_CACHE_AUTO, IVSHMEM_CACHE_WB, IVSHMEM_CACHE_WC, IVSHMEM_CACHE_UC };

static const char * const ivshmem_cache_names[] = { "auto", "wb", "wc", "uc" };
static int ivshmem_cache = IVSHMEM_CACHE_AUTO;

static int ivshmem_cache_set(const char *value, const struct kernel_param *kp)
{
	int cache = sysfs_match_string(ivshmem_cache_names, value);

	if (cache < 0) {
		pr_err("cache=%s: must be auto, wb, wc or uc\n", value);
		return -EINVAL;
	}
	ivshmem_cache = cache;
	return 0;
}

static int ivshmem_cache_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", ivshmem_cache_names[ivshmem_cache]);
}

static const struct kernel_param_ops ivshmem_cache_ops = {
	.set = ivshmem_cache_set,
	.get = ivshmem_cache_get,
};
module_param_cb(cache, &ivshmem_cache_ops, NULL, 0444);
MODULE_PARM_DESC(cache, "how mappings are cached: auto (write-back), wb, wc, uc");

/** ivshmem_page_attr_prot() - the protection that a mapping gets */
pgprot_t ivshmem_page_attr_prot(pgprot_t prot)
{
	if (ivshmem_cache == IVSHMEM_CACHE_WC)
		prot = pgprot_writecombine(prot);
	else if (ivshmem_cache == IVSHMEM_CACHE_UC)
		prot = pgprot_noncached(prot);
	/* The host sees what a confidential guest writes here. */
	return pgprot_decrypted(prot);
}

#if defined(CONFIG_X86)
/* Without PAT there is no write-combining: its bits are those of uncached. */
static u32 ivshmem_page_attr_of(pgprot_t prot)
{
	unsigned long bits = pgprot_val(prot) & _PAGE_CACHE_MASK;

	if (bits == cachemode2protval(_PAGE_CACHE_MODE_WB))
		return IVSHMEM_PAGE_ATTR_WB;
	if (bits == cachemode2protval(_PAGE_CACHE_MODE_UC_MINUS) ||
	    bits == cachemode2protval(_PAGE_CACHE_MODE_UC))
		return IVSHMEM_PAGE_ATTR_UC;
	if (bits == cachemode2protval(_PAGE_CACHE_MODE_WC))
		return IVSHMEM_PAGE_ATTR_WC;
	return IVSHMEM_PAGE_ATTR_UNKNOWN;
}
#elif defined(CONFIG_ARM64)
static u32 ivshmem_page_attr_of(pgprot_t prot)
{
	switch (pgprot_val(prot) & PTE_ATTRINDX_MASK) {
	case PTE_ATTRINDX(MT_NORMAL):
	case PTE_ATTRINDX(MT_NORMAL_TAGGED):
		return IVSHMEM_PAGE_ATTR_WB;
	case PTE_ATTRINDX(MT_NORMAL_NC):
		return IVSHMEM_PAGE_ATTR_WC;
	default:
		return IVSHMEM_PAGE_ATTR_UC;
	}
}
#else
static u32 ivshmem_page_attr_of(pgprot_t prot)
{
	return IVSHMEM_PAGE_ATTR_UNKNOWN;
}
#endif

/** ivshmem_page_attr() - IVSHMEM_PAGE_ATTR_* that mappings have in effect */
u32 ivshmem_page_attr(void)
{
	return ivshmem_page_attr_of(ivshmem_page_attr_prot(PAGE_SHARED));
}

/** ivshmem_page_attr_name() - wb, wc, uc or unknown */
const char *ivshmem_page_attr_name(u32 attr)
{
	static const char * const names[] = {
		[IVSHMEM_PAGE_ATTR_UNKNOWN] = "unknown",
		[IVSHMEM_PAGE_ATTR_WB] = "wb",
		[IVSHMEM_PAGE_ATTR_WC] = "wc",
		[IVSHMEM_PAGE_ATTR_UC] = "uc",
	};

	return names[attr];
}

/** ivshmem_page_attr_notice() - say once why a device's memory is slow */
void ivshmem_page_attr_notice(struct ivshmem_device *ivd)
{
	u32 attr = ivshmem_page_attr();

	if (attr == IVSHMEM_PAGE_ATTR_WB)
		return;
	if (attr == IVSHMEM_PAGE_ATTR_UNKNOWN)
		pci_notice(ivd->pdev, "cannot tell how the shared memory is cached: page attributes of this architecture are not known\n");
	else
		pci_notice(ivd->pdev, "shared memory is mapped %s, not write-back, because the module has cache=%s%s; load it without for full speed\n",
			   ivshmem_page_attr_name(attr),
			   ivshmem_cache_names[ivshmem_cache],
			   ivshmem_cache == IVSHMEM_CACHE_WC &&
			   attr == IVSHMEM_PAGE_ATTR_UC ?
			   " and the kernel runs without PAT" : "");
}
