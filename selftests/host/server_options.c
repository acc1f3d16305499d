// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ivshmemd's command line: what is refused, with which words and status 2, and
 * that each option is accepted; then the daemon, its pid file, and two servers
 * on one socket.
 */
#include "kselftest_harness.h"
#include "server_process.h"
#include "server_peer.h"

FIXTURE(options) {
	struct server server;
};

FIXTURE_SETUP(options)
{
	ASSERT_TRUE(server_init(&self->server));
}

FIXTURE_TEARDOWN(options)
{
	EXPECT_TRUE(server_fini(&self->server));
}

/* Also when it says it in a line that begins as all lines do. */
static bool fails(struct server *server, const char *arguments, int status,
		  const char *words)
{
	int got = server_run(server, arguments) ? server_wait(server) : -1;

	if (got == status && server_said(server, words) &&
	    !strncmp(server->log, "ivshmemd: ", 10))
		return true;
	fprintf(stderr, "# ivshmemd %s: status %d, and it said:\n%s\n",
		arguments, got, server->log_length ? server->log : "nothing");
	return false;
}

#define USAGE_ERROR(name, arguments, words)				\
	TEST_F(options, name)						\
	{								\
		EXPECT_TRUE(fails(&self->server, arguments, 2, words));	\
	}

USAGE_ERROR(unknown_letter_is_an_error, "-z", "-z: unknown option")
USAGE_ERROR(unknown_letter_among_others_is_an_error, "-Fz",
	    "-z: unknown option")
USAGE_ERROR(unknown_word_is_an_error, "--frob", "--frob: unknown option")
USAGE_ERROR(argument_that_is_no_option_is_an_error, "-F frob",
	    "frob: not an option")
USAGE_ERROR(missing_argument_is_an_error, "-F -l", "-l: argument missing")
USAGE_ERROR(argument_for_a_flag_is_an_error, "--foreground=1",
	    "--foreground=1: takes no argument")
USAGE_ERROR(size_0_is_an_error, "-F -l 0", "-l 0: must be a size")
USAGE_ERROR(negative_size_is_an_error, "-F -l -1M", "-l -1M: must be a size")
USAGE_ERROR(size_with_an_unknown_suffix_is_an_error, "-F -l 1X",
	    "-l 1X: must be a size")
USAGE_ERROR(size_with_two_suffixes_is_an_error, "-F -l 1MB",
	    "-l 1MB: must be a size")
USAGE_ERROR(size_that_is_no_number_is_an_error, "-F -l inf",
	    "-l inf: must be a size")
USAGE_ERROR(size_that_overflows_is_an_error, "-F -l 99999999T",
	    "-l 99999999T: must be a size")
USAGE_ERROR(vectors_that_are_no_number_are_an_error, "-F -n four",
	    "-n four: must be a number")
USAGE_ERROR(more_than_256_vectors_are_an_error, "-F -n 257",
	    "-n 257: must be a number from 0 to 256")
USAGE_ERROR(vectors_beyond_32_bits_are_an_error, "-F -n 4294967297",
	    "-n 4294967297: must be")
USAGE_ERROR(negative_vectors_are_an_error, "-F -n -1", "-n -1: must be")
USAGE_ERROR(shm_name_with_a_slash_inside_is_an_error, "-F -M a/b",
	    "-M a/b: must be a name")
USAGE_ERROR(memory_that_is_no_directory_and_no_name_is_an_error,
	    "-F -m /nowhere/at/all", "-m /nowhere/at/all: neither a directory")
USAGE_ERROR(budget_0_is_an_error, "-F --budget 0", "--budget 0: must be")
USAGE_ERROR(budget_below_the_vectors_is_an_error, "-F -n 8 --budget 7",
	    "more vectors than --budget")
USAGE_ERROR(size_with_an_exponent_is_an_error, "-F -l 1e3M",
	    "-l 1e3M: must be a size")
USAGE_ERROR(size_with_a_sign_is_an_error, "-F -l +1M", "-l +1M: must be a size")
USAGE_ERROR(user_that_does_not_exist_is_an_error, "-F --allow-uid no-such-user",
	    "--allow-uid no-such-user: no such user")
USAGE_ERROR(group_that_does_not_exist_is_an_error, "-F --allow-gid -1",
	    "--allow-gid -1: no such group")
USAGE_ERROR(socket_group_that_does_not_exist_is_an_error,
	    "-F --socket-group no-such-group",
	    "--socket-group no-such-group: no such group")
USAGE_ERROR(socket_mode_that_is_not_octal_is_an_error, "-F --socket-mode 0689",
	    "--socket-mode 0689: must be an octal mode")
USAGE_ERROR(socket_mode_beyond_the_permissions_is_an_error,
	    "-F --socket-mode 4777", "--socket-mode 4777: must be an octal mode")
USAGE_ERROR(max_per_uid_0_is_an_error, "-F --max-per-uid 0",
	    "--max-per-uid 0: must be a number from 1")
USAGE_ERROR(announce_leave_neither_yes_nor_no_is_an_error,
	    "-F --announce-leave=maybe", "--announce-leave maybe: must be yes or no")
USAGE_ERROR(hugetlb_of_a_size_that_is_no_power_of_two_is_an_error,
	    "-F --hugetlb=3M", "--hugetlb 3M: must be a power of two")
USAGE_ERROR(hugetlb_with_a_name_is_an_error, "-F --hugetlb -M name",
	    "--hugetlb: not together with -M or -m")
USAGE_ERROR(shm_name_that_is_only_a_slash_is_an_error, "-F -M /",
	    "-M /: must be a name")
USAGE_ERROR(shm_name_that_is_a_dot_is_an_error, "-F -M .", "-M .: must be a name")
USAGE_ERROR(shm_name_that_is_two_dots_is_an_error, "-F -M /..",
	    "-M /..: must be a name")
USAGE_ERROR(stall_timeout_0_is_an_error, "-F --stall-timeout 0",
	    "--stall-timeout 0: must be")

/* No word of a line can be empty: here it is the only one. */
TEST_F(options, socket_without_a_name_is_an_error)
{
	EXPECT_TRUE(fails(&self->server, "-F --socket=", 2,
			  "-S : must be the path of a socket"));
}

static bool shows(struct server *server, const char *arguments,
		  const char *words)
{
	return server_run(server, arguments) && server_wait(server) == 0 &&
	       server_said(server, words);
}

TEST_F(options, h_shows_the_help)
{
	EXPECT_TRUE(shows(&self->server, "-h", "Usage: ivshmemd"));
}

TEST_F(options, help_names_every_option)
{
	static const char *const names[] = {
		"-S, --socket", "-l, --size", "-n, --vectors",
		"-M, --shm-name", "-m, --memory", "--sparse", "--budget",
		"--stall-timeout", "--max-per-uid", "--allow-uid", "--allow-gid",
		"--socket-mode", "--socket-group", "--announce-leave",
		"--hugetlb", "--keeper", "-F, --foreground", "-p, --pidfile",
		"-v, --verbose", "-h, --help", "--version",
	};
	unsigned int i;

	ASSERT_TRUE(shows(&self->server, "--help", ""));
	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		EXPECT_TRUE(server_said(&self->server, names[i]));
}

/* What a shell has of this command: -1 if it could not be run. */
static int bytes_of(const char *arguments)
{
	char command[4200], text[4096];
	FILE *output;
	int length;

	snprintf(command, sizeof(command), "%s %s", server_program(), arguments);
	output = popen(command, "re");
	if (!output)
		return -1;
	length = (int)fread(text, 1, sizeof(text), output);
	pclose(output);
	return length;
}

TEST_F(options, errors_go_to_stderr_and_only_there)
{
	EXPECT_EQ(0, bytes_of("-F --frob 2>/dev/null"));
	EXPECT_LT(0, bytes_of("-F --frob 2>&1 >/dev/null"));
	EXPECT_EQ(0, bytes_of("-F -S /nowhere/socket 2>/dev/null"));
	EXPECT_LT(0, bytes_of("--help 2>/dev/null"));
}

TEST_F(options, there_is_no_banner)
{
	char arguments[160];

	snprintf(arguments, sizeof(arguments), "-F -S %s", self->server.socket);
	ASSERT_TRUE(server_run(&self->server, arguments));
	while (access(server_path(&self->server, "socket.control"), F_OK))
		ASSERT_TRUE(server_alive(&self->server));
	EXPECT_EQ(0, server_stop(&self->server));
	EXPECT_EQ(0, self->server.log_length);
}

TEST_F(options, version_is_shown)
{
	EXPECT_TRUE(shows(&self->server, "--version",
			  "ivshmemd " IVSHMEM_VERSION "\n"));
}

TEST_F(options, long_names_are_accepted)
{
	char arguments[256];
	struct peer *peer;

	snprintf(arguments, sizeof(arguments),
		 "--foreground --verbose --socket %s --vectors 0x3 --size=8192 --memory=/tmp --budget=9 --stall-timeout=5 --sparse",
		 self->server.socket);
	ASSERT_TRUE(server_run(&self->server, arguments));
	ASSERT_TRUE(server_says(&self->server, "listening on"));
	peer = peer_join(self->server.socket, 3);
	ASSERT_NE(NULL, peer);
	peer_close(peer);
}

TEST_F(options, socket_path_of_108_bytes_is_an_error)
{
	char arguments[256] = "-F -S /tmp/";

	memset(arguments + strlen(arguments), 'x', 103);
	EXPECT_TRUE(fails(&self->server, arguments, 1, "longer than"));
}

TEST_F(options, socket_in_no_directory_is_an_error)
{
	EXPECT_TRUE(fails(&self->server, "-F -S /nowhere/socket", 1,
			  "/nowhere/socket.lock: No such file or directory"));
}

TEST_F(options, a_file_in_the_place_of_the_socket_is_left_alone)
{
	char arguments[160];
	int fd = open(self->server.socket, O_CREAT | O_RDWR, 0600);

	snprintf(arguments, sizeof(arguments), "-F -S %s", self->server.socket);
	EXPECT_TRUE(fails(&self->server, arguments, 1, "is no socket"));
	EXPECT_EQ(0, unlink(self->server.socket));
	close(fd);
}

TEST_F(options, socket_is_for_owner_and_group_whatever_the_umask_is)
{
	struct stat st;
	mode_t mask = umask(0);

	ASSERT_TRUE(server_start(&self->server, ""));
	umask(mask);
	ASSERT_EQ(0, stat(self->server.socket, &st));
	EXPECT_EQ(0660, st.st_mode & 0777);
}

TEST_F(options, second_instance_fails_and_leaves_the_first_alone)
{
	struct server second = self->server;
	char arguments[160];
	struct peer *peer;

	snprintf(arguments, sizeof(arguments), "-F -S %s", self->server.socket);
	ASSERT_TRUE(server_start(&self->server, ""));
	second.output = -1;
	second.log = NULL;
	EXPECT_TRUE(fails(&second, arguments, 1,
			  "another server is serving it"));
	close(second.output);
	free(second.log);
	peer = peer_join(self->server.socket, 1);
	EXPECT_NE(NULL, peer);
	peer_close(peer);
	EXPECT_EQ(0, access(server_path(&self->server, "socket.lock"), F_OK));
}

TEST_F(options, socket_of_a_killed_server_is_replaced)
{
	struct peer *peer;

	ASSERT_TRUE(server_start(&self->server, ""));
	kill(self->server.pid, SIGKILL);
	ASSERT_EQ(128 + SIGKILL, server_wait(&self->server));
	ASSERT_EQ(0, access(self->server.socket, F_OK));
	ASSERT_TRUE(server_start(&self->server, ""));
	peer = peer_join(self->server.socket, 1);
	EXPECT_NE(NULL, peer);
	peer_close(peer);
}

TEST_F(options, socket_of_another_program_is_left_alone)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char arguments[160];

	strcpy(address.sun_path, self->server.socket);
	ASSERT_EQ(0, bind(sock, (struct sockaddr *)&address, sizeof(address)));
	ASSERT_EQ(0, listen(sock, 1));
	snprintf(arguments, sizeof(arguments), "-F -S %s", self->server.socket);
	EXPECT_TRUE(fails(&self->server, arguments, 1,
			  "another server is serving it"));
	EXPECT_EQ(0, unlink(self->server.socket));
	close(sock);
}

TEST_HARNESS_MAIN
