// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does one thing that is wrong when it is loaded, which its parameter names. A
 * kernel that finds bugs must report each, or finding none of ours says nothing.
 */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

static char *wrong_defect = "";
module_param_named(defect, wrong_defect, charp, 0);
MODULE_PARM_DESC(defect, "what to do: sleep, shift, timer, rcu, locks, free or leak");

static DEFINE_MUTEX(wrong_first);
static DEFINE_MUTEX(wrong_second);
static DEFINE_SPINLOCK(wrong_spinlock);
static int __rcu *wrong_pointer;
static int wrong_number = 40;

static void wrong_sleep(void)
{
	spin_lock(&wrong_spinlock);
	kfree(kmalloc(8, GFP_KERNEL));
	spin_unlock(&wrong_spinlock);
}

static void wrong_shift(void)
{
	WRITE_ONCE(wrong_number, 1 << READ_ONCE(wrong_number));
}

static void wrong_expire(struct timer_list *timer)
{
}

/* Memory of a timer that still runs. */
static void wrong_timer(void)
{
	struct timer_list *timer = kmalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return;
	timer_setup(timer, wrong_expire, 0);
	mod_timer(timer, jiffies + 1000 * HZ);
	kfree(timer);
}

static void wrong_rcu(void)
{
	WRITE_ONCE(wrong_number, !rcu_dereference(wrong_pointer));
}

static void wrong_order(struct mutex *outer, struct mutex *inner)
{
	mutex_lock(outer);
	mutex_lock(inner);
	mutex_unlock(inner);
	mutex_unlock(outer);
}

static void wrong_locks(void)
{
	wrong_order(&wrong_first, &wrong_second);
	wrong_order(&wrong_second, &wrong_first);
}

static void wrong_free(void)
{
	int *number = kmalloc(sizeof(*number), GFP_KERNEL), *same = number;

	OPTIMIZER_HIDE_VAR(same);
	kfree(number);
	WRITE_ONCE(wrong_number, READ_ONCE(*same));
}

static void wrong_leak(void)
{
	WRITE_ONCE(wrong_number, !kmalloc(999, GFP_KERNEL));
}

static const struct {
	const char *name;
	void (*run)(void);
} wrong_defects[] = {
	{ "sleep", wrong_sleep },
	{ "shift", wrong_shift },
	{ "timer", wrong_timer },
	{ "rcu", wrong_rcu },
	{ "locks", wrong_locks },
	{ "free", wrong_free },
	{ "leak", wrong_leak },
};

static int __init wrong_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wrong_defects); i++) {
		if (strcmp(wrong_defects[i].name, wrong_defect))
			continue;
		wrong_defects[i].run();
		return 0;
	}
	return -EINVAL;
}
module_init(wrong_init);

static void __exit wrong_exit(void)
{
}
module_exit(wrong_exit);

MODULE_DESCRIPTION("Does what is wrong, to try a kernel that finds bugs");
MODULE_LICENSE("GPL");
