// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * struct ivsh_info: what the driver said of a device, kept as it said it.
 */
#include <stdlib.h>

#include "device.h"

struct ivsh_info {
	struct ivshmem_info uapi;
};

IVSH_API struct ivsh_info *ivsh_device_get_info(struct ivsh_device *device)
{
	struct ivsh_info *info = malloc(sizeof(*info));

	if (!info)
		return NULL;
	if (ivsh_device_query(device, &info->uapi)) {
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
	return info->uapi.shmem_size;
}

IVSH_API bool ivsh_info_has_doorbell(const struct ivsh_info *info)
{
	return info->uapi.features & IVSHMEM_FEATURE_DOORBELL;
}

IVSH_API uint32_t ivsh_info_own_id(const struct ivsh_info *info)
{
	return info->uapi.own_id;
}

IVSH_API uint32_t ivsh_info_nr_vectors(const struct ivsh_info *info)
{
	return info->uapi.nr_vectors;
}

IVSH_API uint32_t ivsh_info_revision(const struct ivsh_info *info)
{
	return info->uapi.revision;
}

IVSH_API enum ivsh_page_attr ivsh_info_page_attr(const struct ivsh_info *info)
{
	switch (info->uapi.page_attr) {
	case IVSHMEM_PAGE_ATTR_WB:
		return IVSH_PAGE_ATTR_WB;
	case IVSHMEM_PAGE_ATTR_WC:
		return IVSH_PAGE_ATTR_WC;
	case IVSHMEM_PAGE_ATTR_UC:
		return IVSH_PAGE_ATTR_UC;
	default:
		return IVSH_PAGE_ATTR_UNKNOWN;
	}
}

IVSH_API uint64_t ivsh_info_generation(const struct ivsh_info *info)
{
	return info->uapi.generation;
}
