/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions of the public headers, for the programs that check that they compile by
 * themselves. lib_symbols.c checks that none is missing here.
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
	do_it(ivsh_device_wait_peer_event) \
	do_it(ivsh_peer_event_free) \
	do_it(ivsh_peer_event_type) \
	do_it(ivsh_peer_event_peer) \
	do_it(ivsh_peer_event_nr_vectors) \
	do_it(ivsh_peer_event_error) \
	do_it(ivsh_device_get_info) \
	do_it(ivsh_info_free) \
	do_it(ivsh_info_shmem_size) \
	do_it(ivsh_info_has_doorbell) \
	do_it(ivsh_info_has_mapped_regs) \
	do_it(ivsh_info_own_id) \
	do_it(ivsh_info_nr_vectors) \
	do_it(ivsh_info_revision) \
	do_it(ivsh_info_page_attr) \
	do_it(ivsh_info_generation) \
	do_it(ivsh_info_may_shrink) \
	do_it(ivsh_region_map) \
	do_it(ivsh_region_unmap) \
	do_it(ivsh_region_address) \
	do_it(ivsh_region_size) \
	do_it(ivsh_vector_bind) \
	do_it(ivsh_vector_unbind) \
	do_it(ivsh_vector_fd) \
	do_it(ivsh_vector_number) \
	do_it(ivsh_vector_wait) \
	do_it(ivsh_vector_clear) \
	do_it(ivsh_directory_open) \
	do_it(ivsh_directory_close) \
	do_it(ivsh_directory_format) \
	do_it(ivsh_directory_use_doorbell) \
	do_it(ivsh_directory_fd) \
	do_it(ivsh_directory_clear) \
	do_it(ivsh_directory_beat) \
	do_it(ivsh_directory_set_waiting) \
	do_it(ivsh_directory_wait) \
	do_it(ivsh_directory_segment) \
	do_it(ivsh_directory_count) \
	do_it(ivsh_directory_get_entry) \
	do_it(ivsh_entry_free) \
	do_it(ivsh_entry_name) \
	do_it(ivsh_entry_get) \
	do_it(ivsh_channel_open) \
	do_it(ivsh_channel_close) \
	do_it(ivsh_channel_capacity) \
	do_it(ivsh_channel_max_message) \
	do_it(ivsh_channel_reserve) \
	do_it(ivsh_channel_commit) \
	do_it(ivsh_channel_peek) \
	do_it(ivsh_channel_release) \
	do_it(ivsh_channel_flush) \
	do_it(ivsh_channel_send) \
	do_it(ivsh_channel_receive) \
	do_it(ivsh_channel_send_many) \
	do_it(ivsh_channel_receive_many) \
	do_it(ivsh_channel_wait) \
	do_it(ivsh_channel_arm) \
	do_it(ivsh_channel_peer_silence_ns) \
	do_it(ivsh_channel_count) \
	do_it(ivsh_vector_set_mode) \
	do_it(ivsh_vector_set_add) \
	do_it(ivsh_vector_set_contains) \
	do_it(ivsh_device_wait) \
	do_it(ivsh_device_get_stats) \
	do_it(ivsh_stats_free) \
	do_it(ivsh_stats_nr_vectors) \
	do_it(ivsh_stats_fired) \
	do_it(ivsh_stats_delivered) \
	do_it(ivsh_stats_suppressed) \
	do_it(ivsh_stats_backoffs) \
	do_it(ivsh_region_guard) \
	do_it(ivsh_region_is_lost) \
	do_it(ivsh_device_export_dmabuf) \
	do_it(ivsh_monitor_open) \
	do_it(ivsh_monitor_close) \
	do_it(ivsh_monitor_fd) \
	do_it(ivsh_monitor_wait)

#endif /* HEADER_FUNCTIONS_H */
