// Which parts of the weight arena belong to each class of coupled channels.
#ifndef PLC_PRUNE_SLICES_H
#define PLC_PRUNE_SLICES_H

#include <graph/channels.h>
#include "../../cl/prune_params.h"

// Slices in the order of classes: items[starts[k] .. starts[k+1]).
typedef struct plc_slices {
    prune_slice *items; // owned
    int *starts;        // owned [n_classes + 1]
    int n_items;
} plc_slices;

enum {
    PLC_SLICES_PRODUCERS = 1, // filter rows
    PLC_SLICES_CONSUMERS = 2, // columns of the layers that read the channel
    PLC_SLICES_GAMMA = 4,     // scales of batch norms
    PLC_SLICES_VECTORS = 8,   // biases, gamma and beta
    PLC_SLICES_AFFINE = 16,   // gamma and beta of a batch norm as one slice
};

// Collects the chosen kinds of every class. A depthwise filter counts once, as a producer.
pleach_status plc_slices_create(pleach_ctx *ctx, const pleach_graph *graph,
                                const plc_params_layout *layout, const plc_channels *channels,
                                int kinds, plc_slices *slices);
void plc_slices_finish(plc_slices *slices);

#endif
