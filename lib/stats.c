// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * struct ivsh_stats: what has been counted for each vector, kept as the backend
 * said it.
 */
#include <errno.h>
#include <stdlib.h>

#include "device.h"

struct ivsh_stats {
	uint32_t nr_vectors;
	struct ivsh_counts vectors[];
};

static int count_all(struct ivsh_device *device, struct ivsh_stats *stats)
{
	for (uint32_t i = 0; i < stats->nr_vectors; i++)
		if (device->backend->count(device, i, &stats->vectors[i]))
			return -1;
	return 0;
}

IVSH_API struct ivsh_stats *ivsh_device_get_stats(struct ivsh_device *device)
{
	struct ivsh_stats *stats;
	struct ivsh_info info;

	if (!device->backend->count) {
		errno = EOPNOTSUPP;
		return NULL;
	}
	if (device->backend->query(device, &info))
		return NULL;
	stats = malloc(sizeof(*stats) +
		       info.nr_vectors * sizeof(stats->vectors[0]));
	if (!stats)
		return NULL;
	stats->nr_vectors = info.nr_vectors;
	if (count_all(device, stats)) {
		free(stats);
		return NULL;
	}
	return stats;
}

IVSH_API void ivsh_stats_free(struct ivsh_stats *stats)
{
	free(stats);
}

IVSH_API uint32_t ivsh_stats_nr_vectors(const struct ivsh_stats *stats)
{
	return stats->nr_vectors;
}

static const struct ivsh_counts *vector_of(const struct ivsh_stats *stats,
					   uint32_t vector)
{
	static const struct ivsh_counts none;

	return vector < stats->nr_vectors ? &stats->vectors[vector] : &none;
}

IVSH_API uint64_t ivsh_stats_fired(const struct ivsh_stats *stats,
				   uint32_t vector)
{
	return vector_of(stats, vector)->fired;
}

IVSH_API uint64_t ivsh_stats_delivered(const struct ivsh_stats *stats,
				       uint32_t vector)
{
	return vector_of(stats, vector)->delivered;
}

IVSH_API uint64_t ivsh_stats_suppressed(const struct ivsh_stats *stats,
					uint32_t vector)
{
	return vector_of(stats, vector)->suppressed;
}

IVSH_API uint64_t ivsh_stats_backoffs(const struct ivsh_stats *stats,
				      uint32_t vector)
{
	return vector_of(stats, vector)->backoffs;
}
