// SPDX-License-Identifier: GPL-2.0-only
/*
 * A data race, for as long as the module is loaded: two threads count in a plain
 * variable, with no lock. A kernel that finds races must report it.
 */
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>

static struct task_struct *racer_threads[2];
static unsigned long racer_count;

static int racer_run(void *unused)
{
	while (!kthread_should_stop()) {
		racer_count++;
		cond_resched();
	}
	return 0;
}

static void racer_stop(unsigned int count)
{
	while (count--)
		kthread_stop(racer_threads[count]);
}

static int __init racer_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(racer_threads); i++) {
		racer_threads[i] = kthread_run(racer_run, NULL, "racer%u", i);
		if (IS_ERR(racer_threads[i])) {
			racer_stop(i);
			return PTR_ERR(racer_threads[i]);
		}
	}
	return 0;
}
module_init(racer_init);

static void __exit racer_exit(void)
{
	racer_stop(ARRAY_SIZE(racer_threads));
}
module_exit(racer_exit);

MODULE_DESCRIPTION("Races with itself, to try a kernel that finds races");
MODULE_LICENSE("GPL");
