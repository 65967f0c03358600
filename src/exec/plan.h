// The memory plan: which values share a buffer as views, and which buffers share memory over time.
#ifndef PLC_EXEC_PLAN_H
#define PLC_EXEC_PLAN_H

#include <exec/steps.h>

// Gives every node a root: concat inputs are channel ranges of the concat's buffer, flatten is its
// input's buffer seen as {C*H*W, 1, 1}. values[node] is the view with a planned buffer of its root,
// made once per root (owned by the caller through `buffers`): `float_bytes` for each float of an
// image, and `spare_bytes` behind its end. Without a value (steps): no buffer.
typedef struct plc_values {
    plc_tensor *items;    // owned, per node
    int *roots;           // owned, per node: the node whose buffer it is
    plc_buffer **buffers; // owned, per node: NULL unless the node is a root
    int n_nodes;
} plc_values;

pleach_status plc_values_create(pleach_ctx *ctx, const pleach_graph *graph, const plc_steps *steps,
                                const char *name, size_t float_bytes, size_t spare_bytes,
                                plc_values *values);
void plc_values_finish(pleach_device *device, plc_values *values);

// Device memory in slabs no larger than one allocation may be.
typedef struct plc_slabs {
    plc_buffer **items; // owned
    int n_items;
    size_t bytes; // planned in all
} plc_slabs;

// A planned buffer and when it is in use: launches [first, last] of its list.
typedef struct plc_lifetime {
    plc_buffer *buffer;
    int first, last;
    size_t offset;
} plc_lifetime;

// First use and last use of each planned buffer that the list's launches name. The caller frees *items.
pleach_status plc_lifetimes_create(pleach_ctx *ctx, const plc_launch_list *list,
                                   plc_lifetime **items, int *n_items);

// Offsets such that buffers alive at the same time do not overlap and none straddles a slab; the
// largest are placed first, each at the lowest free offset. *total_bytes is the end of the last.
void plc_lifetimes_place(plc_lifetime *items, int n_items, size_t alignment, size_t slab_bytes,
                         size_t *total_bytes);

// Bytes of a whole slab: the largest aligned allocation of the device.
size_t plc_slab_bytes(const pleach_device *device);

pleach_status plc_slabs_create(pleach_device *device, size_t total_bytes, plc_slabs *slabs);
void plc_slabs_finish(pleach_device *device, plc_slabs *slabs);
pleach_status plc_slabs_bind(pleach_device *device, const plc_slabs *slabs,
                             const plc_lifetime *items, int n_items);

#endif
