// All launches of an inference on channel lanes as one launch (cl/channel_network.cl): with few images
// a layer is shorter than the time in which a CPU's threads wake up for it.
#ifndef PLC_OPS_CHANNEL_NETWORK_H
#define PLC_OPS_CHANNEL_NETWORK_H

#include <device/launch.h>

// The buffers that launches may name: these, and parts of the slab.
typedef struct plc_channel_memory {
    plc_buffer *slab; // NULL: there is none
    plc_buffer *input, *logits, *prepared;
} plc_channel_memory;

// Appends to `joined` one launch that does what `list` does, with the same bits. Leaves `joined` empty
// where a launch is of an unknown kernel or names another buffer, or one 8 GiB behind the slab's begin. Buffers have
// their memory.
// The caller owns *launches and *state, which the launch reads and writes.
pleach_status plc_channel_network_join(const plc_launch_list *list,
                                       const plc_channel_memory *memory, plc_launch_list *joined,
                                       plc_buffer **launches, plc_buffer **state);

#endif
