/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions of ivshmem.h, for the programs that check that it compiles by
 * itself. lib_symbols.c checks that none is missing here.
 */
#ifndef HEADER_FUNCTIONS_H
#define HEADER_FUNCTIONS_H

#define FOR_EACH_FUNCTION(do_it) \
	do_it(ivsh_device_open) \
	do_it(ivsh_device_open_read_only) \
	do_it(ivsh_device_close) \
	do_it(ivsh_device_fd) \
	do_it(ivsh_device_path) \
	do_it(ivsh_device_ring) \
	do_it(ivsh_device_get_info) \
	do_it(ivsh_info_free) \
	do_it(ivsh_info_shmem_size) \
	do_it(ivsh_info_has_doorbell) \
	do_it(ivsh_info_own_id) \
	do_it(ivsh_info_nr_vectors) \
	do_it(ivsh_info_revision) \
	do_it(ivsh_info_page_attr) \
	do_it(ivsh_info_generation) \
	do_it(ivsh_region_map) \
	do_it(ivsh_region_unmap) \
	do_it(ivsh_region_address) \
	do_it(ivsh_region_size) \
	do_it(ivsh_vector_bind) \
	do_it(ivsh_vector_unbind) \
	do_it(ivsh_vector_fd) \
	do_it(ivsh_vector_number) \
	do_it(ivsh_vector_wait) \
	do_it(ivsh_vector_clear)

#endif /* HEADER_FUNCTIONS_H */
