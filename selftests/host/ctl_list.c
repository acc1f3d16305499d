// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemctl list, on machines made of files: how the table and the JSON look,
 * which devices are ours, and what each remedy says.
 */
#include "kselftest_harness.h"
#include "ctl_machine.h"
#include "ctl_run.h"

#define NOTHING "{\n   \"devices\": []\n}\n"
#define NOTE "ivshmemctl: list: no ivshmem device (PCI 1af4:1110) in this machine\n"

/* The test itself would run after a return: 255 is the harness's own skip. */
#define NO_MACHINE							\
	SKIP(_exit(255), "no mount namespace with a " PCI " of its own: %s", \
	     strerror(errno))

static const struct machine_device plain = {
	.address = "0000:00:05.0",
	.class = "0x050000",
	.shmem_size = 4 << 20,
	.config_size = WHOLE_SIZE,
};

static const struct machine_device doorbell = {
	.address = "0000:00:04.0",
	.class = "0x050000",
	.shmem_size = 1 << 20,
	.nr_vectors = 4,
	.config_size = WHOLE_SIZE,
};

FIXTURE(machine) {
	struct ctl_result result;
};

FIXTURE_SETUP(machine)
{
	if (!machine_mount())
		NO_MACHINE;
}

FIXTURE_TEARDOWN(machine)
{
}

TEST_F(machine, without_devices_is_an_empty_list_and_a_note)
{
	ctl_run(&self->result, "list");
	EXPECT_EQ(0, self->result.status);
	EXPECT_STREQ("", self->result.output);
	EXPECT_STREQ(NOTE, self->result.errors);
}

TEST_F(machine, without_devices_is_an_empty_list_in_json)
{
	ctl_run(&self->result, "list --json");
	EXPECT_EQ(0, self->result.status);
	EXPECT_STREQ(NOTHING, self->result.output);
	EXPECT_STREQ(NOTE, self->result.errors);
}

TEST_F(machine, without_devices_has_none_for_info)
{
	ctl_run(&self->result, "info");
	EXPECT_EQ(1, self->result.status);
	EXPECT_STREQ("ivshmemctl: device: no such device, see 'ivshmemctl list'\n",
		     self->result.errors);
}

TEST_F(machine, without_pci_is_an_error)
{
	ASSERT_EQ(0, rmdir(DEVICES));
	ctl_run(&self->result, "list --json");
	EXPECT_EQ(1, self->result.status);
	EXPECT_STREQ("", self->result.output);
	EXPECT_STREQ("ivshmemctl: " PCI ": No such file or directory (no PCI here, or sysfs is not mounted)\n",
		     self->result.errors);
}

TEST_F(machine, device_of_the_virtio_class_is_not_ours)
{
	struct machine_device device = doorbell;

	device.class = "0xff8000";
	ASSERT_TRUE(machine_add(&device));
	ctl_run(&self->result, "list --json");
	EXPECT_STREQ(NOTHING, self->result.output);
}

TEST_F(machine, device_with_another_class_is_ours)
{
	struct machine_device device = doorbell;

	device.class = "0xff0000";
	ASSERT_TRUE(machine_add(&device));
	ctl_run(&self->result, "list --json");
	EXPECT_NE(NULL, strstr(self->result.output, device.address));
}

TEST_F(machine, every_key_is_there_in_json)
{
	ASSERT_TRUE(machine_add(&doorbell));
	ctl_run(&self->result, "list --json");
	EXPECT_EQ(0, self->result.status);
	EXPECT_STREQ("", self->result.errors);
	EXPECT_STREQ("{\n"
		     "   \"devices\": [\n"
		     "      {\n"
		     "         \"node\": null,\n"
		     "         \"pci_address\": \"0000:00:04.0\",\n"
		     "         \"driver\": null,\n"
		     "         \"flavour\": \"doorbell\",\n"
		     "         \"revision\": 1,\n"
		     "         \"shmem_size\": 1048576,\n"
		     "         \"own_id\": null,\n"
		     "         \"nr_vectors\": 4,\n"
		     "         \"page_attr\": null,\n"
		     "         \"remedy\": \"modprobe ivshmem_guest\"\n"
		     "      }\n"
		     "   ]\n"
		     "}\n", self->result.output);
}

TEST_F(machine, table_is_in_the_order_of_the_addresses)
{
	ASSERT_TRUE(machine_add(&plain));
	ASSERT_TRUE(machine_add(&doorbell));
	ctl_run(&self->result, "list");
	EXPECT_STREQ("NODE PCI_ADDRESS  DRIVER FLAVOUR  REVISION SHMEM_SIZE OWN_ID NR_VECTORS PAGE_ATTR REMEDY\n"
		     "-    0000:00:04.0 -      doorbell        1         1M      -          4 -         modprobe ivshmem_guest\n"
		     "-    0000:00:05.0 -      plain           1         4M      -          0 -         modprobe ivshmem_guest\n",
		     self->result.output);
}

/* Ordinary users: what they cannot see is not guessed. */
TEST_F(machine, doorbell_device_has_no_flavour_without_capabilities)
{
	struct machine_device device = doorbell;

	device.config_size = PUBLIC_SIZE;
	ASSERT_TRUE(machine_add(&device));
	ctl_run(&self->result, "list --json");
	EXPECT_NE(NULL, strstr(self->result.output, "\"flavour\": null"));
	EXPECT_NE(NULL, strstr(self->result.output, "\"nr_vectors\": null"));
	EXPECT_NE(NULL, strstr(self->result.output, "\"shmem_size\": 1048576"));
}

TEST_F(machine, plain_device_is_plain_also_to_an_ordinary_user)
{
	struct machine_device device = plain;

	device.config_size = PUBLIC_SIZE;
	ASSERT_TRUE(machine_add(&device));
	ctl_run(&self->result, "list --json");
	EXPECT_NE(NULL, strstr(self->result.output, "\"flavour\": \"plain\""));
}

TEST_F(machine, device_with_a_node_that_is_missing_says_so)
{
	struct machine_device device = doorbell;

	device.driver = "ivshmem_guest";
	device.node = "ivshmem4711";
	ASSERT_TRUE(machine_add(&device));
	ctl_run(&self->result, "list --json");
	EXPECT_NE(NULL, strstr(self->result.output,
			       "\"node\": \"/dev/ivshmem4711\""));
	EXPECT_NE(NULL, strstr(self->result.output,
			       "/dev/ivshmem4711 is missing"));
}

/* On a nodev mount not even root may open the node. */
TEST_F(machine, device_without_permission_names_owner_group_and_mode)
{
	struct machine_device device = doorbell;

	device.driver = "ivshmem_guest";
	device.node = "ivshmem4711";
	ASSERT_TRUE(machine_add(&device));
	ASSERT_EQ(0, mount("dev", "/dev", "tmpfs", MS_NODEV, NULL));
	ASSERT_EQ(0, mknod("/dev/ivshmem4711", S_IFCHR | 0640, 0));
	ctl_run(&self->result, "list --json");
	EXPECT_NE(NULL, strstr(self->result.output,
			       "no permission for /dev/ivshmem4711, owner root, group "));
	EXPECT_NE(NULL, strstr(self->result.output, ", mode 0640: "));
}

FIXTURE(remedy) {
	struct ctl_result result;
};

FIXTURE_VARIANT(remedy) {
	const char *loaded;	/* a driver without devices, or NULL */
	const char *driver;
	bool no_memory;
	const char *remedy;
};

FIXTURE_SETUP(remedy)
{
	struct machine_device device = doorbell;

	if (!machine_mount())
		NO_MACHINE;
	device.driver = variant->driver;
	if (variant->no_memory)
		device.shmem_size = 0;
	ASSERT_TRUE(machine_add(&device));
	ASSERT_TRUE(!variant->loaded || machine_add_driver(variant->loaded));
	ctl_run(&self->result, "list --json");
}

FIXTURE_TEARDOWN(remedy)
{
}

TEST_F(remedy, is_what_helps)
{
	EXPECT_EQ(0, self->result.status);
	EXPECT_NE(NULL, strstr(self->result.output, variant->remedy))
		TH_LOG("%s", self->result.output);
}

#define BIND								\
	"echo ivshmem_guest > " DEVICES "/0000:00:04.0/driver_override; " \
	"echo 0000:00:04.0 > " PCI "/drivers_probe"
#define UNBIND(driver)							\
	"echo 0000:00:04.0 > " DRIVERS "/" driver "/unbind; " BIND "\""
#define OTHER_DRIVER(name, driver_)					\
	FIXTURE_VARIANT_ADD(remedy, name)				\
	{								\
		.driver = driver_,					\
		.remedy = "\"modprobe ivshmem_guest; " UNBIND(driver_),	\
	};

OTHER_DRIVER(uio_ivshmem, "uio_ivshmem")
OTHER_DRIVER(uio_pci_generic, "uio_pci_generic")
OTHER_DRIVER(vfio_pci, "vfio-pci")
OTHER_DRIVER(virtio_pci, "virtio-pci")

FIXTURE_VARIANT_ADD(remedy, other_driver_with_ours_loaded)
{
	.loaded = "ivshmem_guest",
	.driver = "uio_ivshmem",
	.remedy = "\"" UNBIND("uio_ivshmem"),
};

FIXTURE_VARIANT_ADD(remedy, no_driver)
{
	.remedy = "\"modprobe ivshmem_guest\"",
};

FIXTURE_VARIANT_ADD(remedy, no_driver_with_ours_loaded)
{
	.loaded = "ivshmem_guest",
	.remedy = "\"" BIND "; ",
};

FIXTURE_VARIANT_ADD(remedy, no_address_for_the_memory)
{
	.no_memory = true,
	.remedy = "pref64-reserve=",
};

FIXTURE_VARIANT_ADD(remedy, our_driver_without_a_node)
{
	.driver = "ivshmem_guest",
	.remedy = "the driver made no node",
};

TEST_HARNESS_MAIN
