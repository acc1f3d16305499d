// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each allocation of the module's init fails once while it is loaded, as those of
 * its calls do in failures.c. It is then loaded, or not, and can be loaded again.
 */
#include <sys/klog.h>
#include <sys/utsname.h>

#include "failnth.h"
#include "sysfs.h"

#define AUTOPROBE "/sys/bus/pci/drivers_autoprobe"

/* Actions of klogctl(). */
#define LOG_READ_ALL 3
#define LOG_CLEAR 5

FIXTURE(loading) {
	int module;
};

static void unload(void)
{
	syscall(SYS_delete_module, "ivshmem_guest", O_NONBLOCK);
}

/* Where modprobe has it from. Devices are not probed: that has its own turn. */
FIXTURE_SETUP(loading)
{
	struct utsname name;
	char path[PATH_MAX];

	uname(&name);
	snprintf(path, sizeof(path), "/lib/modules/%s/ivshmem_guest.ko",
		 name.release);
	self->module = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->module);
	ASSERT_EQ(0, sysfs_write(AUTOPROBE, "0"));
	unload();
}

FIXTURE_TEARDOWN(loading)
{
	unload();
	close(self->module);
	sysfs_write(AUTOPROBE, "1");
	EXPECT_EQ(0, system("modprobe ivshmem_guest"));
}

static int load(FIXTURE_DATA(loading) *self)
{
	return syscall(SYS_finit_module, self->module, "", 0);
}

/* Whether the log has that since it was cleared. */
static bool log_has(const char *words)
{
	static char log[1 << 18];
	int len = klogctl(LOG_READ_ALL, log, sizeof(log) - 1);

	log[len < 0 ? 0 : len] = '\0';
	return strstr(log, words);
}

/*
 * The loader's own allocations come before those of the module's init, are several
 * times as many, and take seconds each here: so from the last of all back to the
 * first of init.
 */
TEST_F_TIMEOUT(loading, fails_or_not_and_works_again, 3600)
{
	int file = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	unsigned int nth, left, failed = 0, errors = 0;
	bool in_init;
	int ret;

	fail_nth(file, MOST);
	ASSERT_EQ(0, load(self));
	nth = MOST - still_to_come(file) + 1;
	for (; nth; nth--) {
		fail_nth(file, 0);
		unload();
		klogctl(LOG_CLEAR, NULL, 0);
		fail_nth(file, nth);
		ret = load(self);
		left = still_to_come(file);
		fail_nth(file, 0);
		if (left)	/* this load took fewer */
			continue;
		in_init = log_has("ivshmem_init+");
		/* Before init; what fails without a word has no trace. */
		if (failed && log_has("load_module+") &&
		    !log_has("do_init_module+"))
			break;
		failed += in_init;
		errors += in_init && ret;
		unload();
		ASSERT_EQ(0, load(self)) TH_LOG("after failure %u", nth);
	}
	TH_LOG("%u failed in turn in init, after %u of the loader; loading said so %u times",
	       failed, nth, errors);
	EXPECT_LT(0, errors);
	close(file);
}

TEST_HARNESS_MAIN
