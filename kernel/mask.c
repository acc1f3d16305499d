// SPDX-License-Identifier: GPL-2.0-only
/*
 * When a vector is switched off: while every open file masks it, and for a
 * while when it fires too fast. Called by vector.c, and by cdev.c when the
 * number of open files changes.
 *
 * A ring that comes meanwhile is kept, by the interrupt layer or by the device,
 * and fires the vector when it is switched on again. Switching costs the
 * hypervisor much, so none of this happens to a vector that is used with
 * measure.
 */
#include "ivshmem_drv.h"

/* How long a vector that fired too fast is left off. */
#define IVSHMEM_BACKOFF_MS	10

unsigned int ivshmem_mask_max_rate = 100000;
module_param_named(max_rate, ivshmem_mask_max_rate, uint, 0644);
MODULE_PARM_DESC(max_rate, "Interrupts of one vector in a second, measured over one tick, above which it is switched off for 10 ms; 0: no limit (default: 100000)");

/* With vec->lock, interrupts off. */
static void ivshmem_mask_update(struct ivshmem_vector *vec)
{
	bool all_masked = vec->nr_masked &&
			  vec->nr_masked == atomic_read(&vec->ivd->nr_files);
	bool off = !vec->stopped && (all_masked || vec->backing_off);

	if (off == vec->off)
		return;
	vec->off = off;
	if (off)
		disable_irq_nosync(vec->irq);
	else
		enable_irq(vec->irq);
}

/**
 * ivshmem_mask_binding() - one file masks the vector, or unmasks it
 * @vec: the vector, its lock held
 * @binding: one of its bindings
 * @masked: which of the two
 */
void ivshmem_mask_binding(struct ivshmem_vector *vec,
			  struct ivshmem_binding *binding, bool masked)
{
	if (binding->masked == masked)
		return;
	binding->masked = masked;
	if (masked)
		vec->nr_masked++;
	else
		vec->nr_masked--;
	ivshmem_mask_update(vec);
}

/**
 * ivshmem_mask_files() - a file was opened or closed
 * @ivd: the device
 * @change: 1 or -1
 *
 * A new file has masked nothing, so every vector is on after an open.
 */
void ivshmem_mask_files(struct ivshmem_device *ivd, int change)
{
	unsigned int i;

	atomic_add(change, &ivd->nr_files);
	for (i = 0; i < ivd->nr_vectors; i++) {
		struct ivshmem_vector *vec = &ivd->vectors[i];

		spin_lock_irq(&vec->lock);
		ivshmem_mask_update(vec);
		spin_unlock_irq(&vec->lock);
	}
}

/**
 * ivshmem_mask_back_off() - switch a vector off for a while, if there is a limit
 * @vec: the vector whose handler calls
 */
void ivshmem_mask_back_off(struct ivshmem_vector *vec)
{
	if (!READ_ONCE(ivshmem_mask_max_rate))
		return;
	spin_lock(&vec->lock);
	if (!vec->stopped && !vec->backing_off) {
		vec->backing_off = true;
		vec->backoffs++;
		ivshmem_mask_update(vec);
		schedule_delayed_work(&vec->backoff_end,
				      msecs_to_jiffies(IVSHMEM_BACKOFF_MS));
	}
	spin_unlock(&vec->lock);
}

static void ivshmem_mask_back_on(struct work_struct *work)
{
	struct ivshmem_vector *vec = container_of(to_delayed_work(work),
						  struct ivshmem_vector,
						  backoff_end);

	spin_lock_irq(&vec->lock);
	vec->backing_off = false;
	ivshmem_mask_update(vec);
	spin_unlock_irq(&vec->lock);
}

/** ivshmem_mask_init() - of a new vector, which is on */
void ivshmem_mask_init(struct ivshmem_vector *vec)
{
	INIT_DELAYED_WORK(&vec->backoff_end, ivshmem_mask_back_on);
}

/**
 * ivshmem_mask_stop() - switch the vector on for good, before its handler goes
 * @vec: the vector
 *
 * Context: may sleep.
 */
void ivshmem_mask_stop(struct ivshmem_vector *vec)
{
	spin_lock_irq(&vec->lock);
	vec->stopped = true;
	ivshmem_mask_update(vec);
	spin_unlock_irq(&vec->lock);
	cancel_delayed_work_sync(&vec->backoff_end);
}
