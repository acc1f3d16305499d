// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/ivshmem_pagewalk: the page table of the process that reads it. pread()
 * at a user address gives three words: the entry that maps the address, as the
 * processor sees it, how many bytes it maps, and the processor's table of memory
 * types, which the entry has an index into. The entry is 0 where nothing is
 * mapped. So a test proves which attribute and size a mapping really has.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pgtable.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>
#ifdef CONFIG_X86
#include <asm/msr.h>
#endif

#ifndef pud_leaf
#define pud_leaf pud_large
#define pmd_leaf pmd_large
#endif

struct pagewalk {
	u64 entry;
	u64 size;
	u64 types;
};

#if defined(CONFIG_X86)
static u64 pagewalk_types(void)
{
	u32 low, high;

	rdmsr(MSR_IA32_CR_PAT, low, high);
	return (u64)high << 32 | low;
}
#elif defined(CONFIG_ARM64)
static u64 pagewalk_types(void)
{
	return read_sysreg(mair_el1);
}
#else
static u64 pagewalk_types(void)
{
	return 0;
}
#endif

static void pagewalk_pmd(struct pagewalk *walk, pmd_t *pmd, unsigned long addr)
{
	walk->size = PMD_SIZE;
	if (pmd_none(*pmd) || !pmd_present(*pmd))
		return;
	if (pmd_leaf(*pmd)) {
		walk->entry = pmd_val(*pmd);
		return;
	}
	/* 64-bit kernels have all page tables mapped. */
	walk->size = PAGE_SIZE;
	walk->entry = pte_val(*pte_offset_kernel(pmd, addr));
}

static void pagewalk_pud(struct pagewalk *walk, pud_t *pud, unsigned long addr)
{
	walk->size = PUD_SIZE;
	if (pud_none(*pud) || !pud_present(*pud))
		return;
	if (pud_leaf(*pud))
		walk->entry = pud_val(*pud);
	else
		pagewalk_pmd(walk, pmd_offset(pud, addr), addr);
}

static void pagewalk(struct pagewalk *walk, struct mm_struct *mm,
		     unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;

	walk->size = PGDIR_SIZE;
	if (pgd_none(*pgd))
		return;
	p4d = p4d_offset(pgd, addr);
	walk->size = P4D_SIZE;
	if (!p4d_none(*p4d))
		pagewalk_pud(walk, pud_offset(p4d, addr), addr);
}

static ssize_t pagewalk_read(struct file *file, char __user *buf, size_t len,
			     loff_t *pos)
{
	struct pagewalk walk = { .types = pagewalk_types() };

	if (len != sizeof(walk) || *pos >= TASK_SIZE)
		return -EINVAL;
	mmap_read_lock(current->mm);
	pagewalk(&walk, current->mm, *pos);
	mmap_read_unlock(current->mm);
	return copy_to_user(buf, &walk, sizeof(walk)) ? -EFAULT : sizeof(walk);
}

static const struct file_operations pagewalk_fops = {
	.owner = THIS_MODULE,
	.read = pagewalk_read,
	.llseek = default_llseek,
};

static struct miscdevice pagewalk_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ivshmem_pagewalk",
	.fops = &pagewalk_fops,
	.mode = 0600,
};
module_misc_device(pagewalk_device);

MODULE_DESCRIPTION("Shows tests the page table entries of their mappings");
MODULE_LICENSE("GPL");
