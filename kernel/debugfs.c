// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/ivshmem_guest/: what the driver has counted, for people who
 * look for a fault. A file for each device, named as its node, and the number
 * of devices whose mappings were taken away, which outlives them. Called by
 * pci.c; the others count.
 *
 * debugfs lets no read begin once a file is being removed, and waits for those
 * that run, so that no lock is needed here.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "ivshmem_drv.h"

static struct dentry *ivshmem_debugfs_dir;
static atomic_t ivshmem_revocations;

/** ivshmem_debugfs_count_revocation() - a device lost all its mappings */
void ivshmem_debugfs_count_revocation(void)
{
	atomic_inc(&ivshmem_revocations);
}

static void ivshmem_debugfs_show_u64(struct seq_file *seq, const char *name,
				     atomic64_t *count)
{
	seq_printf(seq, "%s %llu\n", name, (u64)atomic64_read(count));
}

static void ivshmem_debugfs_show_faults(struct seq_file *seq,
					struct ivshmem_counters *counters)
{
	unsigned int i;

	for (i = 0; i < IVSHMEM_FAULT_LEVELS; i++)
		seq_printf(seq, "faults_order_%u %llu\n",
			   ivshmem_fault_order(i),
			   (u64)atomic64_read(&counters->faults[i]));
	ivshmem_debugfs_show_u64(seq, "faults_refused",
				 &counters->faults_refused);
}

static void ivshmem_debugfs_show_vector(struct seq_file *seq,
					struct ivshmem_vector *vec,
					unsigned int i)
{
	spin_lock_irq(&vec->lock);
	seq_printf(seq, "vector_%u fired %llu delivered %llu suppressed %llu backoffs %llu bindings %u masked %u off %d\n",
		   i, (u64)atomic64_read(&vec->fired), vec->delivered,
		   vec->suppressed, vec->backoffs, vec->nr_bindings,
		   vec->nr_masked, vec->off);
	spin_unlock_irq(&vec->lock);
}

static int ivshmem_debugfs_show(struct seq_file *seq, void *unused)
{
	struct ivshmem_device *ivd = seq->private;
	unsigned int i;

	ivshmem_debugfs_show_u64(seq, "rings", &ivd->counters.rings);
	ivshmem_debugfs_show_faults(seq, &ivd->counters);
	ivshmem_debugfs_show_u64(seq, "generation", &ivd->generation);
	seq_printf(seq, "files %d\n", atomic_read(&ivd->nr_files));
	for (i = 0; i < ivd->nr_vectors; i++)
		ivshmem_debugfs_show_vector(seq, &ivd->vectors[i], i);
	return 0;
}

static int ivshmem_debugfs_open(struct inode *inode, struct file *file)
{
	return single_open(file, ivshmem_debugfs_show, inode->i_private);
}

static const struct file_operations ivshmem_debugfs_fops = {
	.owner = THIS_MODULE,
	.open = ivshmem_debugfs_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

/**
 * ivshmem_debugfs_add() - show the counters of a device
 * @ivd: a published device
 *
 * Without debugfs nothing is shown, and all else works.
 */
void ivshmem_debugfs_add(struct ivshmem_device *ivd)
{
	char name[16];

	snprintf(name, sizeof(name), "ivshmem%u", ivd->minor);
	ivd->debugfs = debugfs_create_file(name, 0400, ivshmem_debugfs_dir, ivd,
					   &ivshmem_debugfs_fops);
}

/** ivshmem_debugfs_remove() - the same again, backwards; waits for readers */
void ivshmem_debugfs_remove(struct ivshmem_device *ivd)
{
	debugfs_remove(ivd->debugfs);
}

void __init ivshmem_debugfs_init(void)
{
	ivshmem_debugfs_dir = debugfs_create_dir(IVSHMEM_NAME, NULL);
	debugfs_create_atomic_t("revocations", 0400, ivshmem_debugfs_dir,
				&ivshmem_revocations);
}

void ivshmem_debugfs_exit(void)
{
	debugfs_remove_recursive(ivshmem_debugfs_dir);
}
