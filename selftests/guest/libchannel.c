// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Channels in the memory of a real device, woken by its doorbell: one guest is
 * both peers, since a device rings itself too. What needs no device is tested
 * by host/channel_*.c, two guests by qemu/tests/channels.py.
 */
#include <pthread.h>

#include "../../lib/channel.h"
#include "guest.h"
#include "sysfs.h"

#define SECOND NSEC_PER_SEC

/* Each open device is a peer; both have the own ID, and a vector each. */
struct side {
	struct ivsh_device *device;
	struct ivsh_region *region;
	struct ivsh_vector *vector;
	struct ivsh_directory *directory;
	struct ivsh_channel *channel;
	char address[16];
};

FIXTURE(doorbell) {
	struct side side[2];
};

static void open_side(struct side *side, const char *name, unsigned int vector)
{
	if (!sysfs_address(doorbell_node(), side->address))
		return;
	side->device = ivsh_device_open(doorbell_node());
	side->region = ivsh_region_map(side->device, 0, 0, 0);
	side->vector = ivsh_vector_bind(side->device, vector);
	side->directory = ivsh_directory_open(
		ivsh_region_address(side->region),
		ivsh_region_size(side->region), name, IVSH_TAKE_OVER);
}

FIXTURE_SETUP(doorbell)
{
	struct ivsh_device *device = ivsh_device_open(doorbell_node());
	struct ivsh_region *region = ivsh_region_map(device, 0, 0, 0);

	ASSERT_EQ(0, ivsh_directory_format(ivsh_region_address(region),
					   ivsh_region_size(region)));
	ivsh_region_unmap(region);
	ivsh_device_close(device);
	open_side(&self->side[0], "a", 0);
	open_side(&self->side[1], "b", 1);
	ASSERT_NE(NULL, self->side[0].directory);
	ASSERT_NE(NULL, self->side[1].directory);
}

FIXTURE_TEARDOWN(doorbell)
{
	for (int i = 0; i < 2; i++) {
		struct side *side = &self->side[i];

		ivsh_channel_close(side->channel);
		ivsh_directory_close(side->directory);
		ivsh_vector_unbind(side->vector);
		ivsh_region_unmap(side->region);
		ivsh_device_close(side->device);
	}
	driver_bind(self->side[0].address);
}

static int use_doorbell(struct side *side)
{
	return ivsh_directory_use_doorbell(side->directory, side->device,
					   side->vector);
}

static int open_channel(struct side *side, enum ivsh_role role)
{
	if (use_doorbell(side))
		return -1;
	side->channel = ivsh_channel_open(side->directory, "c", role, 65536,
					  0, 0);
	return side->channel ? 0 : -1;
}

static void *send_thousand(void *argument)
{
	struct side *side = argument;

	/* On a busy machine all could be sent before the other side looks. */
	while (!word_load_full(&side->channel->other->sleep))
		usleep(1000);
	for (uint32_t i = 0; i < 1000; i++)
		if (ivsh_channel_send(side->channel, &i, sizeof(i),
				      30 * SECOND))
			return (void *)1;
	return NULL;
}

TEST_F(doorbell, wakes_a_sleeping_consumer)
{
	pthread_t thread;
	uint32_t number;
	size_t length;
	void *failed;

	ASSERT_EQ(0, open_channel(&self->side[0], IVSH_PRODUCER));
	ASSERT_EQ(0, open_channel(&self->side[1], IVSH_CONSUMER));
	ivsh_directory_set_waiting(self->side[1].directory, IVSH_WAIT_SLEEP);
	pthread_create(&thread, NULL, send_thousand, &self->side[0]);
	for (uint32_t i = 0; i < 1000; i++) {
		ASSERT_EQ(0, ivsh_channel_receive(self->side[1].channel,
						  &number, sizeof(number),
						  &length, 30 * SECOND));
		ASSERT_EQ(i, number);
	}
	pthread_join(thread, &failed);
	EXPECT_EQ(NULL, failed);
	EXPECT_LT(0, ivsh_channel_count(self->side[1].channel,
					IVSH_COUNTER_SLEEPS));
}

TEST_F(doorbell, use_doorbell_after_a_channel_is_ebusy)
{
	ASSERT_EQ(0, open_channel(&self->side[0], IVSH_PRODUCER));
	EXPECT_EQ(-1, use_doorbell(&self->side[0]));
	EXPECT_EQ(EBUSY, errno);
}

TEST_F(doorbell, doorbell_of_a_plain_device_is_eopnotsupp)
{
	struct ivsh_device *plain = ivsh_device_open(plain_node());

	ASSERT_NE(NULL, plain);
	EXPECT_EQ(-1, ivsh_directory_use_doorbell(self->side[0].directory,
						  plain,
						  self->side[0].vector));
	EXPECT_EQ(EOPNOTSUPP, errno);
	ivsh_device_close(plain);
}

static void *unbind(void *argument)
{
	struct side *side = argument;

	/* Once it sleeps: nothing touches the memory then. */
	while (!side->channel->own->sleep.raw)
		sched_yield();
	driver_unbind(side->address);
	return NULL;
}

TEST_F(doorbell, of_a_device_that_is_gone_is_enodev)
{
	struct side *side = &self->side[0];
	pthread_t thread;
	char message[8];
	size_t length;

	ivsh_directory_close(self->side[1].directory);
	self->side[1].directory = NULL;
	ASSERT_EQ(0, open_channel(side, IVSH_CONSUMER));
	pthread_create(&thread, NULL, unbind, side);
	EXPECT_EQ(-1, ivsh_channel_receive(side->channel, message, 8, &length,
					   -1));
	EXPECT_EQ(ENODEV, errno);
	pthread_join(thread, NULL);
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(-1, ivsh_channel_receive(side->channel, message, 8,
						   &length, -1));
		EXPECT_EQ(ENODEV, errno);
		EXPECT_EQ(NULL, ivsh_directory_wait(side->directory, -1));
		EXPECT_EQ(-1, ivsh_directory_clear(side->directory));
		EXPECT_EQ(ENODEV, errno);
	}
	/* None of these touches the memory, which is gone. */
	EXPECT_EQ(0, ivsh_directory_count(side->directory));
	EXPECT_EQ(NULL, ivsh_directory_get_entry(side->directory, 0));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_LE(0, ivsh_channel_peer_silence_ns(side->channel));
	EXPECT_EQ(-1, use_doorbell(&self->side[0]));
	EXPECT_EQ(ENODEV, errno);
}

TEST_HARNESS_MAIN
