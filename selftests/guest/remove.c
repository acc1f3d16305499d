// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A device that goes away while everything is done with it, and comes back.
 * "remove N" does N cycles. "remove hold" prints READY when all threads sit in
 * their calls on $IVSHMEM_NODE, waits until somebody takes the device away
 * (QEMU, by device_del), and then says in TAP whether all went well.
 */
#include <stddef.h>
#include <sys/stat.h>

#include "crew.h"
#include "missing.h"

static unsigned long cycles(void)
{
	return number_from("IVSHMEM_CYCLES", 20);
}

FIXTURE(remove) {
	char node[32];
	char address[16];
	char other_node[32];	/* of the other device, which may stay */
	char other_address[16];
	int fd;			/* opened before, and never closed */
	char *memory;		/* the same */
	size_t size;
	struct crew crew;
};

FIXTURE_VARIANT(remove) {
	const char *(*node)(void);
	const char *(*other)(void);
};

FIXTURE_VARIANT_ADD(remove, doorbell) {
	.node = doorbell_node,
	.other = plain_node,
};

FIXTURE_VARIANT_ADD(remove, plain) {
	.node = plain_node,
	.other = doorbell_node,
};

FIXTURE_SETUP(remove)
{
	snprintf(self->node, sizeof(self->node), "%s", variant->node());
	snprintf(self->other_node, sizeof(self->other_node), "%s",
		 variant->other());
	ASSERT_TRUE(sysfs_address(self->node, self->address));
	ASSERT_TRUE(sysfs_address(self->other_node, self->other_address));
	catch_access_signals();
	self->fd = open(self->node, O_RDWR);
	ASSERT_LE(0, self->fd);
	self->size = shmem_size(self->fd);
	self->memory = map(self->fd, 0, self->size);
	ASSERT_NE(MAP_FAILED, self->memory);
	ASSERT_EQ(0, poke(self->memory, 0x6f6c64));
}

/* Both devices as they were, for the next test: the lower number first. */
FIXTURE_TEARDOWN(remove)
{
	bool first = strcmp(self->node, self->other_node) < 0;
	char node[32], other[32];

	close(self->fd);
	pci_rescan();
	if (sysfs_node(self->address, node) && !strcmp(node, self->node) &&
	    sysfs_node(self->other_address, other) &&
	    !strcmp(other, self->other_node))
		return;
	driver_unbind(self->address);
	driver_unbind(self->other_address);
	driver_bind(first ? self->address : self->other_address);
	driver_bind(first ? self->other_address : self->address);
}

/* NULL if that vector of the device at address fires, or what is wrong. */
static const char *fires(const char *address, __u32 vector)
{
	int fd, efd = new_eventfd();
	char node[32] = "";
	bool fired;

	sysfs_node(address, node);
	fd = open(node, O_RDWR);
	fired = !bind_vector(fd, vector, efd) && !ring_self(fd, vector) &&
		wait_eventfd(efd);
	close(efd);
	close(fd);
	return fired ? NULL : "the vector does not fire";
}

/* NULL if the device at address works, or what is wrong. */
static const char *works(const char *address)
{
	struct ivshmem_info info;
	const char *wrong = NULL;
	char node[32];
	__u64 *memory;
	int fd;

	if (!sysfs_node(address, node))
		return "the device has no node";
	fd = open(node, O_RDWR);
	if (get_info(fd, &info))
		return "the new node does not answer";
	memory = map(fd, 0, info.shmem_size);
	if (memory == MAP_FAILED || poke(memory + 1, 0x6e6577))
		wrong = "the new mapping cannot be written";
	if (memory != MAP_FAILED)
		munmap(memory, info.shmem_size);
	close(fd);
	return wrong || !info.nr_vectors ? wrong : fires(address, 0);
}

/* Take the device away with the crew at work, and look at what they found. */
static void take_away(struct __test_metadata *_metadata,
		      FIXTURE_DATA(remove) *self, bool busy,
		      int (*remove)(const char *address), double *slowest)
{
	const char *wrong;
	double first, last, begin;
	char node[32];

	ASSERT_TRUE(sysfs_node(self->address, node));
	ASSERT_TRUE(crew_start(&self->crew, node, busy));
	begin = now_ms();
	ASSERT_EQ(0, remove(self->address));
	crew_join(&self->crew);
	crew_times(&self->crew, &first, &last);
	for (size_t i = 0; i < self->crew.count; i++) {
		struct member *m = &self->crew.members[i];

		EXPECT_STREQ("", m->wrong) TH_LOG("%s", m->duty->name);
		wrong = gone_wrong(m->fd, self->memory, self->size);
		EXPECT_EQ(NULL, wrong) TH_LOG("%s: %s", m->duty->name, wrong);
	}
	EXPECT_GT(RETURN_LIMIT_MS, last - begin);
	/* One bad cycle says it all. */
	ASSERT_TRUE(_metadata->passed);
	if (last - begin > *slowest)
		*slowest = last - begin;
}

/* Nothing that was opened before the removal ever works again. */
static void come_back(struct __test_metadata *_metadata,
		      FIXTURE_DATA(remove) *self)
{
	struct crew *crew = &self->crew;

	EXPECT_EQ(NULL, works(self->address));
	for (size_t i = 0; i < crew->count; i++) {
		struct member *m = &crew->members[i];

		/* mremap has moved half of its elsewhere. */
		if (m->duty->run != duty_remap) {
			EXPECT_EQ(NULL, gone_wrong(m->fd, m->memory, m->size));
		}
	}
	EXPECT_EQ(NULL, gone_wrong(self->fd, self->memory, self->size));
	crew_close(crew);
}

TEST_F_TIMEOUT(remove, unbind_wakes_all_who_wait, 300)
{
	double slowest = 0;

	for (unsigned long i = 0; i < cycles(); i++) {
		take_away(_metadata, self, false, driver_unbind, &slowest);
		ASSERT_EQ(0, driver_bind(self->address));
		come_back(_metadata, self);
	}
	TH_LOG("the slowest came back after %.0f ms", slowest);
}

TEST_F_TIMEOUT(remove, unbind_ends_every_call, 300)
{
	double slowest = 0;

	for (unsigned long i = 0; i < cycles(); i++) {
		take_away(_metadata, self, true, driver_unbind, &slowest);
		ASSERT_EQ(0, driver_bind(self->address));
		come_back(_metadata, self);
	}
	TH_LOG("the slowest came back after %.0f ms", slowest);
}

TEST_F_TIMEOUT(remove, pci_remove_ends_every_call, 300)
{
	double slowest = 0;

	for (unsigned long i = 0; i < cycles() / 4 + 1; i++) {
		take_away(_metadata, self, true, pci_remove, &slowest);
		ASSERT_EQ(0, pci_rescan());
		come_back(_metadata, self);
	}
	TH_LOG("the slowest came back after %.0f ms", slowest);
}

TEST_F(remove, wakes_an_exclusive_epoll_of_each_file)
{
	int other_fd = open(self->node, O_RDWR);
	int exclusive = exclusive_epoll(self->fd);
	int other = exclusive_epoll(other_fd);

	ASSERT_LE(0, exclusive);
	ASSERT_LE(0, other);
	ASSERT_EQ(0, driver_unbind(self->address));
	EXPECT_EQ(EPOLLHUP | EPOLLERR, epoll_within_limit(exclusive));
	EXPECT_EQ(EPOLLHUP | EPOLLERR, epoll_within_limit(other));
	close(exclusive);
	close(other);
	close(other_fd);
}

TEST_F(remove, node_and_its_class_device_are_gone)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/class/ivshmem/%s",
		 base_of(self->node));
	ASSERT_EQ(0, access(path, F_OK));
	ASSERT_EQ(0, driver_unbind(self->address));
	EXPECT_ERRNO(ENOENT, access(path, F_OK));
	EXPECT_ERRNO(ENOENT, access(self->node, F_OK));
	EXPECT_EQ(NULL, gone_wrong(self->fd, self->memory, self->size));
}

TEST_F(remove, node_made_by_hand_opens_no_device)
{
	struct stat status;

	ASSERT_EQ(0, stat(self->node, &status));
	ASSERT_EQ(0, driver_unbind(self->address));
	unlink("/tmp/node");
	ASSERT_EQ(0, mknod("/tmp/node", S_IFCHR | 0600, status.st_rdev));
	EXPECT_ERRNO(ENODEV, open("/tmp/node", O_RDWR));
	unlink("/tmp/node");
}

TEST_F(remove, file_and_mapping_may_be_closed_afterwards)
{
	ASSERT_EQ(0, driver_unbind(self->address));
	EXPECT_EQ(0, munmap(self->memory, self->size / 2));
	EXPECT_EQ(0, close(self->fd));
	EXPECT_EQ(SIGBUS, touch(self->memory + self->size / 2));
	EXPECT_EQ(0, munmap(self->memory + self->size / 2, self->size / 2));
	ASSERT_EQ(0, driver_bind(self->address));
	EXPECT_EQ(NULL, works(self->address));
}

/* INFO, of whose argument only size and flags are there. */
struct slow_call {
	int fd;
	struct ivshmem_info *info;
	int result;
	int error;
};

static void *slow_call_main(void *data)
{
	struct slow_call *call = data;

	call->result = ioctl(call->fd, IVSHMEM_INFO, call->info);
	call->error = errno;
	return NULL;
}

TEST_F(remove, does_not_wait_for_a_call_whose_argument_is_not_there)
{
	const size_t page = sysconf(_SC_PAGESIZE);
	char *pages = mmap(NULL, 2 * page, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			   0);
	int uffd = missing_page(pages + page, page);
	struct slow_call call = {
		.fd = self->fd,
		.info = (void *)(pages + page -
				 offsetof(struct ivshmem_info, features)),
	};
	pthread_t thread;

	ASSERT_LE(0, uffd);
	call.info->size = sizeof(*call.info);
	ASSERT_EQ(0, pthread_create(&thread, NULL, slow_call_main, &call));
	ASSERT_EQ(POLLIN, poll_within_limit(uffd, POLLIN));
	EXPECT_EQ(0, driver_unbind(self->address));
	EXPECT_EQ(0, give_page(uffd, pages + page, page));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(-1, call.result);
	EXPECT_EQ(ENODEV, call.error);
	close(uffd);
	munmap(pages, 2 * page);
}

TEST_F(remove, mapping_cannot_be_revived_by_mremap_or_mprotect)
{
	char *room = mmap(NULL, self->size, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *moved;

	ASSERT_EQ(0, driver_unbind(self->address));
	ASSERT_EQ(0, driver_bind(self->address));
	ASSERT_EQ(0, mprotect(self->memory, self->size, PROT_READ));
	EXPECT_EQ(SIGBUS, touch(self->memory));
	moved = mremap(self->memory, self->size, self->size,
		       MREMAP_MAYMOVE | MREMAP_FIXED, room);
	ASSERT_EQ(room, moved);
	EXPECT_EQ(SIGBUS, touch(moved));
}

TEST_F(remove, bytes_in_the_memory_stay)
{
	char node[32];
	__u64 *memory;
	int fd;

	ASSERT_EQ(0, driver_unbind(self->address));
	ASSERT_EQ(0, driver_bind(self->address));
	ASSERT_TRUE(sysfs_node(self->address, node));
	fd = open(node, O_RDWR);
	memory = map(fd, 0, self->size);
	ASSERT_NE(MAP_FAILED, memory);
	EXPECT_EQ(0x6f6c64, *memory);
	munmap(memory, self->size);
	close(fd);
}

/* The other device gets the number, and so the node, of this one. */
TEST_F(remove, other_device_in_its_place_is_not_shown)
{
	char node[32];

	ASSERT_EQ(0, driver_unbind(self->address));
	ASSERT_EQ(0, driver_unbind(self->other_address));
	ASSERT_EQ(0, driver_bind(self->other_address));
	ASSERT_EQ(0, driver_bind(self->address));
	ASSERT_TRUE(sysfs_node(self->other_address, node));
	EXPECT_EQ(NULL, works(self->other_address));
	EXPECT_EQ(NULL, gone_wrong(self->fd, self->memory, self->size));
}

/* Both devices get their BARs anew. */
TEST_F(remove, other_device_at_its_address_is_not_shown)
{
	ASSERT_EQ(0, pci_remove(self->address));
	ASSERT_EQ(0, pci_remove(self->other_address));
	ASSERT_EQ(0, pci_rescan());
	EXPECT_EQ(NULL, works(self->address));
	EXPECT_EQ(NULL, works(self->other_address));
	EXPECT_EQ(NULL, gone_wrong(self->fd, self->memory, self->size));
}

TEST_F(remove, files_of_many_lives_are_all_gone)
{
	enum { LIVES = 30 };
	int fds[LIVES];
	char *memories[LIVES];
	char node[32];

	for (int i = 0; i < LIVES; i++) {
		ASSERT_TRUE(sysfs_node(self->address, node));
		fds[i] = open(node, O_RDWR);
		ASSERT_LE(0, fds[i]);
		memories[i] = map(fds[i], 0, self->size);
		ASSERT_EQ(0, poke(memories[i], i));
		ASSERT_EQ(0, driver_unbind(self->address));
		ASSERT_EQ(0, driver_bind(self->address));
	}
	EXPECT_EQ(NULL, works(self->address));
	for (int i = 0; i < LIVES; i++) {
		EXPECT_EQ(NULL, gone_wrong(fds[i], memories[i], self->size));
		munmap(memories[i], self->size);
		close(fds[i]);
	}
}

/* --- what only a doorbell device has ---------------------------------------------------- */

FIXTURE(removed_vector) {
	char address[16];
	int fd;
	int efd;
};

FIXTURE_SETUP(removed_vector)
{
	ASSERT_TRUE(sysfs_address(doorbell_node(), self->address));
	self->fd = open(doorbell_node(), O_RDWR);
	self->efd = new_eventfd();
	ASSERT_EQ(0, bind_vector(self->fd, 2, self->efd));
}

FIXTURE_TEARDOWN(removed_vector)
{
	close(self->efd);
	close(self->fd);
	driver_bind(self->address);
}

TEST_F(removed_vector, signals_its_eventfd_once)
{
	ASSERT_EQ(0, driver_unbind(self->address));
	EXPECT_EQ(1, take_eventfd(self->efd));
	EXPECT_ERRNO(ENODEV, unbind_vector(self->fd, 2));
	EXPECT_EQ(0, take_eventfd(self->efd));
}

TEST_F(removed_vector, stays_silent_when_its_successor_fires)
{
	ASSERT_EQ(0, driver_unbind(self->address));
	ASSERT_EQ(1, take_eventfd(self->efd));
	ASSERT_EQ(0, driver_bind(self->address));
	EXPECT_EQ(NULL, fires(self->address, 2));
	EXPECT_EQ(0, take_eventfd(self->efd));
}

/* --- remove hold --------------------------------------------------------------------- */

static void report(const char *wrong, const char *name)
{
	if (wrong && wrong[0])
		ksft_print_msg("%s: %s\n", name, wrong);
	ksft_test_result(!wrong || !wrong[0], "hold.%s\n", name);
}

static int hold(void)
{
	static struct crew crew;
	const char *node = doorbell_node(), *wrong;
	int fd = open(node, O_RDWR);
	size_t size = shmem_size(fd);
	char *memory = map(fd, 0, size);
	double first, last;

	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	if (memory == MAP_FAILED || !crew_start(&crew, node, true))
		ksft_exit_fail_msg("%s: cannot begin\n", node);
	ksft_set_plan(crew.count + 3);
	printf("READY\n");
	/* For as long as it takes: whoever started us has a limit. */
	while (!(poll_within_limit(fd, 0) & POLLHUP))
		;
	crew_join(&crew);
	for (size_t i = 0; i < crew.count; i++) {
		struct member *m = &crew.members[i];

		report(m->wrong, m->duty->name);
	}
	wrong = gone_wrong(fd, memory, size);
	report(wrong, "the file and the mapping are gone");
	report(access(node, F_OK) ? NULL : "it is there", "the node is gone");
	crew_times(&crew, &first, &last);
	ksft_print_msg("all came back within %.0f ms\n", last - first);
	report(last - first < RETURN_LIMIT_MS ? NULL : "too late",
	       "all came back in time");
	ksft_print_cnts();
	return ksft_get_fail_cnt() ? KSFT_FAIL : KSFT_PASS;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "hold"))
		return hold();
	if (argc == 2)
		setenv("IVSHMEM_CYCLES", argv[1], 1);
	return test_harness_run(argc, argv);
}
