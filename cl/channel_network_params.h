// channel_network_params.h: the launches of a network as channel_network.cl reads them. Read by C11
// and by OpenCL C.
#ifndef PLEACH_CHANNEL_NETWORK_PARAMS_H
#define PLEACH_CHANNEL_NETWORK_PARAMS_H

#include "activation_params.h"
#include "channel_map_params.h"
#include "conv_params.h"
#include "pad_params.h"
#include "pool_params.h"

// Which kernel a launch is of.
enum {
    CHANNEL_CONV,
    CHANNEL_CONV_DEPTHWISE,
    CHANNEL_WINOGRAD,
    CHANNEL_MAP,
    CHANNEL_MAX_POOL,
    CHANNEL_AVG_POOL,
    CHANNEL_PAD,
    CHANNEL_FUNCTION,
    CHANNEL_N_KINDS
};

// Where a tensor's buffer lies.
enum { CHANNEL_IN_SLAB, CHANNEL_IN_INPUT, CHANNEL_IN_LOGITS, CHANNEL_IN_PREPARED };

typedef struct {
    int in;    // CHANNEL_IN_
    int first; // its first float there
} channel_place;

typedef struct {
    int kind;
    int n_x, n_y;    // groups along both axes of its grid
    int first_group; // groups of the launches before it
    channel_place x, add, y;
    union {
        conv_params conv;
        channel_map_params map;
        pool_params pool;
        pad_params pad;
        activation_params function;
    } of;
} channel_launch;

// The state of a run: ints, all 0 before and after it. Then one for each group: 1 when it was taken.
enum { CHANNEL_N_DONE, CHANNEL_N_LEFT, CHANNEL_TAKEN };

#endif
