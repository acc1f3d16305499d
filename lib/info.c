// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * struct ivsh_info: what the backend said of a device, kept as it said it.
 */
#include <stdlib.h>

#include "device.h"

IVSH_API struct ivsh_info *ivsh_device_get_info(struct ivsh_device *device)
{
	struct ivsh_info *info = malloc(sizeof(*info));

	if (!info)
		return NULL;
	if (device->backend->query(device, info)) {
		free(info);
		return NULL;
	}
	return info;
}

IVSH_API void ivsh_info_free(struct ivsh_info *info)
{
	free(info);
}

IVSH_API uint64_t ivsh_info_shmem_size(const struct ivsh_info *info)
{
	return info->shmem_size;
}

IVSH_API bool ivsh_info_has_doorbell(const struct ivsh_info *info)
{
	return info->has_doorbell;
}

IVSH_API bool ivsh_info_has_mapped_regs(const struct ivsh_info *info)
{
	return info->regs_offset;
}

IVSH_API uint32_t ivsh_info_own_id(const struct ivsh_info *info)
{
	return info->own_id;
}

IVSH_API uint32_t ivsh_info_nr_vectors(const struct ivsh_info *info)
{
	return info->nr_vectors;
}

IVSH_API uint32_t ivsh_info_revision(const struct ivsh_info *info)
{
	return info->revision;
}

IVSH_API enum ivsh_page_attr ivsh_info_page_attr(const struct ivsh_info *info)
{
	return info->page_attr;
}

IVSH_API uint64_t ivsh_info_generation(const struct ivsh_info *info)
{
	return info->generation;
}

IVSH_API bool ivsh_info_may_shrink(const struct ivsh_info *info)
{
	return info->may_shrink;
}
