// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * status: what the control socket answers: the server's numbers, as text or as
 * JSON, and the end of a peer. Called by control.c with anybody's line; an
 * answer that begins with ERROR_REPLY is a refusal.
 *
 * Text and JSON are the same groups of fields. The name of a peer's program is
 * its own choice: it is printable ASCII and escaped here, whatever it was.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

struct report {
	FILE *out;
	bool json;
	bool first;		/* of the fields of a group */
};

static void put_name(struct report *report, const char *name)
{
	fputs(report->first ? "" : report->json ? "," : ", ", report->out);
	fprintf(report->out, report->json ? "\"%s\":" : "%s ", name);
	report->first = false;
}

static void put_number(struct report *report, const char *name, uint64_t number)
{
	put_name(report, name);
	fprintf(report->out, "%" PRIu64, number);
}

static void put_text(struct report *report, const char *name, const char *text)
{
	put_name(report, name);
	putc('"', report->out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', report->out);
		putc(*text < ' ' || *text > '~' ? '?' : *text, report->out);
	}
	putc('"', report->out);
}

static void put_time(struct report *report, const char *name, int64_t seconds)
{
	time_t when = (time_t)seconds;
	struct tm parts;
	char text[32];

	if (!gmtime_r(&when, &parts) ||
	    !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts))
		strcpy(text, "?");
	put_text(report, name, text);
}

static void begin(struct report *report, const char *group)
{
	fprintf(report->out, report->json ? "\"%s\":{" : "%s: ", group);
	report->first = true;
}

static void end(struct report *report)
{
	fputs(report->json ? "}," : "\n", report->out);
}

static void put_server(struct report *report, const struct peers *peers)
{
	const struct state *state = peers->state;

	begin(report, "server");
	put_text(report, "version", IVSHMEM_VERSION);
	put_number(report, "pid", (uint64_t)getpid());
	put_time(report, "since", state->since);
	put_number(report, "restarts", state->restarts);
	put_number(report, "vectors", peers->nr_vectors);
	put_number(report, "peers", peers->nr);
	put_number(report, "next_id", state->next_id);
	end(report);
}

static const char *memory_kind(const struct options *options)
{
	if (options->shm_name)
		return "shm";
	if (options->memory_dir)
		return "directory";
	return options->hugetlb ? "hugetlb" : "memfd";
}

static void put_memory(struct report *report, const struct options *options,
		       const struct memory *memory)
{
	begin(report, "memory");
	put_text(report, "kind", memory_kind(options));
	if (options->shm_name || options->memory_dir)
		put_text(report, "name", options->shm_name ? options->shm_name :
			 options->memory_dir);
	put_number(report, "size", memory->size);
	end(report);
}

static void put_counters(struct report *report, const struct state *state)
{
	begin(report, "counters");
	put_number(report, "joins", state->joins);
	put_number(report, "leaves", state->leaves);
	put_number(report, "refused", state->refused);
	put_number(report, "kicked", state->kicked);
	put_number(report, "stalled", state->stalled);
	end(report);
}

static void put_turns(struct report *report, const struct turns *turns)
{
	begin(report, "turns");
	put_number(report, "number", turns->nr);
	put_number(report, "slow", turns->slow);
	put_number(report, "longest_us", turns->longest_us);
	put_number(report, "longest_cpu_us", turns->longest_cpu_us);
	end(report);
}

static void put_limits(struct report *report, const struct peers *peers)
{
	const struct limits *limits = &peers->options->limits;

	begin(report, "limits");
	put_number(report, "peers", peers->limit);
	put_number(report, "ids", NR_IDS);
	put_number(report, "budget", limits->budget);
	put_number(report, "max_per_uid", limits->max_per_uid);
	put_number(report, "stall_timeout_s", limits->stall_timeout_s);
	put_text(report, "announce_leave",
		 peers->options->announce_leave ? "yes" : "no");
	end(report);
}

static void put_peer(struct report *report, const struct peers *peers,
		     const struct peer *peer)
{
	const struct state_peer *state = peer->state;

	report->first = true;
	fputs(report->json ? "{" : "peer: ", report->out);
	put_number(report, "id", peer->id);
	put_number(report, "pid", (uint64_t)state->cred.pid);
	put_number(report, "uid", state->cred.uid);
	put_number(report, "gid", state->cred.gid);
	put_text(report, "program", state->program);
	put_time(report, "since", state->since);
	put_number(report, "queue", peer->queue.count);
	put_number(report, "sent", state->sent);
	put_number(report, "eventfds", (uint64_t)peer->held * peers->nr_vectors);
	fputs(report->json ? "}" : "\n", report->out);
}

static void put_all(struct report *report, const struct subject *subject)
{
	const struct peers *peers = subject->peers;
	unsigned int i;

	fputs(report->json ? "{" : "", report->out);
	put_server(report, peers);
	put_memory(report, peers->options, subject->memory);
	put_counters(report, peers->state);
	put_turns(report, subject->turns);
	put_limits(report, peers);
	fputs(report->json ? "\"peers\":[" : "", report->out);
	for (i = 0; i < peers->nr; i++) {
		fputs(report->json && i ? "," : "", report->out);
		put_peer(report, peers, peers->peer[i]);
	}
	fputs(report->json ? "]}\n" : "", report->out);
}

static void kick(FILE *out, struct peers *peers, const char *text)
{
	unsigned int id;

	if (!is_number(text, 10, 0, NR_IDS - 1, &id))
		fprintf(out, ERROR_REPLY "kick: must be followed by a peer's ID, 0 to %u\n",
			NR_IDS - 1);
	else if (!peers_kick(peers, id))
		fprintf(out, ERROR_REPLY "kick %u: there is no such peer\n", id);
	/* Whoever asked may rely on it: the others are told before he is. */
	peers_reap(peers);
}

static void answer(FILE *out, const char *line, const struct subject *subject)
{
	struct report report = { .out = out };

	report.json = !strcmp(line, "status --json");
	if (report.json || !strcmp(line, "status"))
		put_all(&report, subject);
	else if (!strncmp(line, "kick ", 5))
		kick(out, subject->peers, line + 5);
	else
		fputs(ERROR_REPLY "it knows \"status\", \"status --json\" and \"kick ID\"\n",
		      out);
}

char *status_answer(const char *line, const struct subject *subject,
		    size_t *length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, length);

	if (!out)
		return NULL;
	answer(out, line, subject);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}
