// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * log: one line a message, to stderr as "ivshmemd: what: why", or to syslog
 * once the daemon has let go of its caller's terminal. Called by everyone.
 */
#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

#define WARNINGS_PER_PERIOD 50
#define PERIOD_S 5

static bool log_verbose;
static bool log_syslog;

void log_set_verbose(bool verbose)
{
	log_verbose = verbose;
}

void log_to_syslog(void)
{
	openlog("ivshmemd", LOG_PID | LOG_NDELAY, LOG_DAEMON);
	log_syslog = true;
}

LOG_FORMAT(2, 0)
static void log_line(int priority, const char *format, va_list args)
{
	char line[512];
	int length;

	if (log_syslog) {
		vsyslog(priority, format, args);
		return;
	}
	length = snprintf(line, sizeof(line), "ivshmemd: ");
	vsnprintf(line + length, sizeof(line) - length, format, args);
	dprintf(STDERR_FILENO, "%s\n", line);
}

/* Peers can make us warn as fast as they can connect. */
static bool log_warning_is_due(void)
{
	static time_t period;
	static unsigned int count;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec - period >= PERIOD_S) {
		period = now.tv_sec;
		if (count > WARNINGS_PER_PERIOD)
			log_error("%u warnings were not logged",
				  count - WARNINGS_PER_PERIOD);
		count = 0;
	}
	return ++count <= WARNINGS_PER_PERIOD;
}

#define LOG(priority)					\
	do {						\
		va_list args;				\
							\
		va_start(args, format);			\
		log_line(priority, format, args);	\
		va_end(args);				\
	} while (0)

void log_error(const char *format, ...)
{
	LOG(LOG_ERR);
}

void log_warn(const char *format, ...)
{
	if (log_warning_is_due())
		LOG(LOG_WARNING);
}

void log_notice(const char *format, ...)
{
	LOG(LOG_NOTICE);
}

void log_info(const char *format, ...)
{
	if (log_verbose)
		LOG(LOG_INFO);
}
