// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ask: "ivshmemd status" and "ivshmemd kick ID": passes the words to the server's
 * control socket, and its answer to the terminal. Called by main.c, instead of
 * the server.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "server.h"

/* A server that is stopped does not answer; one at work does, at once. */
#define ANSWER_TIMEOUT_S 10
#define EXIT_USAGE 2

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 'S' },
	{ "json", no_argument, NULL, 'j' },
	{ 0 }
};

struct question {
	char line[64];
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	bool json;
};

static void set_path(struct question *question, const char *path)
{
	size_t room = sizeof(question->path);

	if ((size_t)snprintf(question->path, room, "%s" CONTROL_SUFFIX, path) >= room)
		usage_error("-S", path, "longer than a socket's name can be");
}

/* argv[0] is the subcommand. */
static void ask_parse(struct question *question, int argc, char **argv)
{
	bool kick = !strcmp(argv[0], "kick");
	const char *usage = kick ? "usage: ivshmemd kick ID [-S PATH]" :
				   "usage: ivshmemd status [--json] [-S PATH]";
	unsigned int id;
	int option;

	set_path(question, DEFAULT_SOCKET);
	opterr = 0;
	while ((option = getopt_long(argc, argv, "S:", long_options, NULL)) != -1) {
		if (option == 'S')
			set_path(question, optarg);
		else if (option == 'j' && !kick)
			question->json = true;
		else
			usage_error(argv[0], argv[optind - 1], usage);
	}
	if (argc - optind != kick)
		usage_error(argv[0], NULL, usage);
	if (!kick) {
		strcpy(question->line, question->json ? "status --json\n" : "status\n");
		return;
	}
	id = value_number("kick", argv[optind], 0, NR_IDS - 1);
	snprintf(question->line, sizeof(question->line), "kick %u\n", id);
}

static int ask_connect(const struct question *question)
{
	struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, question->path);
	if (sock >= 0 &&
	    !setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) &&
	    !setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) &&
	    !connect(sock, (struct sockaddr *)&address, sizeof(address)))
		return sock;
	log_error("%s: %s%s", question->path, strerror(errno),
		  errno == ENOENT || errno == ECONNREFUSED ?
		  ": is there a server on this socket?" : "");
	if (sock >= 0)
		close(sock);
	return -1;
}

static bool is_refusal(const char *text, ssize_t length)
{
	size_t prefix = strlen(ERROR_REPLY);

	return length > (ssize_t)prefix && !strncmp(text, ERROR_REPLY, prefix);
}

/* Copies the answer; what is no answer goes to stderr. */
static int ask_print(int sock)
{
	bool first = true;
	char text[4096];
	ssize_t length;

	while ((length = recv(sock, text, sizeof(text) - 1, 0)) > 0) {
		text[length] = '\0';
		if (first && is_refusal(text, length)) {
			text[strcspn(text, "\n")] = '\0';
			log_error("%s", text + strlen(ERROR_REPLY));
			return EXIT_FAILURE;
		}
		first = false;
		fwrite(text, 1, (size_t)length, stdout);
	}
	if (length < 0)
		log_error("no answer: %s", strerror(errno));
	if (fflush(stdout))
		log_error("standard output: %s", strerror(errno));
	return length || ferror(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int ask_main(int argc, char **argv)
{
	struct question question = { 0 };
	int sock, status;

	ask_parse(&question, argc, argv);
	sock = ask_connect(&question);
	if (sock < 0)
		return EXIT_FAILURE;
	if (send(sock, question.line, strlen(question.line), MSG_NOSIGNAL) < 0) {
		log_error("%s: %s", question.path, strerror(errno));
		status = EXIT_FAILURE;
	} else {
		status = ask_print(sock);
	}
	close(sock);
	return status;
}
