/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints, group ivshmem. A ring by a store does not pass the driver and is
 * not traced.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ivshmem

#if !defined(IVSHMEM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define IVSHMEM_TRACE_H

#include <linux/mm_types.h>
#include <linux/tracepoint.h>

TRACE_EVENT(ivshmem_ring,
	TP_PROTO(unsigned int minor, u32 peer, u32 vector),
	TP_ARGS(minor, peer, vector),
	TP_STRUCT__entry(
		__field(unsigned int, minor)
		__field(u32, peer)
		__field(u32, vector)
	),
	TP_fast_assign(
		__entry->minor = minor;
		__entry->peer = peer;
		__entry->vector = vector;
	),
	TP_printk("ivshmem%u peer=%u vector=%u", __entry->minor,
		  __entry->peer, __entry->vector)
);

TRACE_EVENT(ivshmem_fire,
	TP_PROTO(unsigned int minor, u32 vector, u64 fired),
	TP_ARGS(minor, vector, fired),
	TP_STRUCT__entry(
		__field(unsigned int, minor)
		__field(u32, vector)
		__field(u64, fired)
	),
	TP_fast_assign(
		__entry->minor = minor;
		__entry->vector = vector;
		__entry->fired = fired;
	),
	TP_printk("ivshmem%u vector=%u fired=%llu", __entry->minor,
		  __entry->vector, __entry->fired)
);

/* order: 0 for a table of single pages, 9 for 2 MiB, 18 for 1 GiB on x86 */
TRACE_EVENT(ivshmem_fault,
	TP_PROTO(unsigned int minor, u64 offset, unsigned int order,
		 vm_fault_t result),
	TP_ARGS(minor, offset, order, result),
	TP_STRUCT__entry(
		__field(unsigned int, minor)
		__field(u64, offset)
		__field(unsigned int, order)
		__field(unsigned int, result)
	),
	TP_fast_assign(
		__entry->minor = minor;
		__entry->offset = offset;
		__entry->order = order;
		__entry->result = (__force unsigned int)result;
	),
	TP_printk("ivshmem%u offset=%#llx order=%u result=%#x",
		  __entry->minor, __entry->offset, __entry->order,
		  __entry->result)
);

TRACE_EVENT(ivshmem_revoke,
	TP_PROTO(unsigned int minor),
	TP_ARGS(minor),
	TP_STRUCT__entry(
		__field(unsigned int, minor)
	),
	TP_fast_assign(
		__entry->minor = minor;
	),
	TP_printk("ivshmem%u", __entry->minor)
);

#endif /* IVSHMEM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
