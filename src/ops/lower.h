// Lowering: operators append the launches of one step; tensors are views of device buffers.
#ifndef PLC_OPS_LOWER_H
#define PLC_OPS_LOWER_H

#include <graph/op.h>
#include <kernel/kernels.h>

// A view of channels in a device buffer laid out [N/L][planes][H][W][L]:
// element (n, c, h, w) is at (((n/L * planes + first + c) * H + h) * W + w) * L + n%L.
// On channel lanes (plc_lower.channel_lanes) it is laid out [N][H][W][planes]:
// element (n, c, h, w) is at ((n * H + h) * W + w) * planes + first + c.
typedef struct plc_tensor {
    plc_buffer *buffer;
    int planes;      // channels per image block of the buffer
    int first;       // first channel of the view
    plc_shape shape; // C H W of the view
} plc_tensor;

// What a relu or clip node does.
typedef struct plc_clip {
    bool on;
    float low, high; // of a ReLU: 0 and infinity
} plc_clip;

// A step: an anchor node and the nodes that its kernels absorb.
//   training:  batch_norm + [add] + [clip]; every other node alone
//   inference: conv|linear + [batch_norm] + [add] + [clip]; batch_norm + [add] + [clip]; others alone
// Nodes between anchor and output have a single consumer and no buffer.
typedef struct plc_step {
    int node;       // the anchor: its operator launches
    int batch_norm; // conv or linear anchors in inference; else PLC_NO_NODE
    int add;        // the value added before clipping, or PLC_NO_NODE
    plc_clip clip;
    int output; // the node whose value this step writes
} plc_step;

// Sums of a value's channels, [C][2][n_splits][L], that its producer leaves for a batch norm.
typedef struct plc_sums {
    plc_buffer *buffer; // planned; NULL: none
    int n_splits;
    int batch_norm; // the node that they are for
} plc_sums;

// The launch that updates a batch norm's running statistics.
typedef struct plc_running {
    plc_launch *launch; // borrowed from the list; NULL: the node has none
    int momentum_arg;   // float: at first the node's own
} plc_running;

typedef struct plc_lower {
    pleach_ctx *ctx;
    pleach_device *device;
    const pleach_graph *graph;
    const plc_params_layout *layout;
    int n_images, n_blocks; // N and ceil(N / lanes)
    bool training;
    bool channel_lanes;          // inference of few images, see channel_lanes.h
    bool mask_gradients;         // --recover none: masked channels get no gradient
    plc_launch_list *list;       // launches of the list being lowered
    plc_launch_list *prepare;    // inference: run once when weights, masks or gates changed
    plc_buffer *weights, *grads; // arenas, floats, same offsets (layout)
    plc_buffer *masks;     // floats: a factor per channel of each masking node (1 kept, 0 pruned)
    plc_buffer *gates;     // floats: one per node, 1 unless a block is fading
    plc_buffer *scratch;   // floats: plc_lower_scratch
    plc_buffer *workspace; // plc_lower_workspace
    size_t scratch_floats, workspace_floats;
    plc_tensor *values, *value_grads; // per node; gradients only in training
    plc_sums *sums;                   // per node, in training
    plc_running *running;             // per node, in training
    int *mask_offsets;                // per node, -1: no mask acts at this node
    int *scratch_offsets;             // per node, -1: none yet
    bool **written; // gradient channels written so far, per root buffer (see lower.c)
    int *roots;     // per node: the node that owns its buffer
} plc_lower;

// The value of a node, and its offset in the weight and gradient arenas of parameter `param`.
plc_tensor plc_lower_value(const plc_lower *lower, int node);
int plc_lower_param(const plc_lower *lower, int node, int param);

// The gradient of a node's value, to read: complete when its producer's backward runs.
pleach_status plc_lower_grad(plc_lower *lower, int node, plc_tensor *grad);

// The gradient of a node's value, to write. *accumulate: add to what is there, else overwrite.
// *wanted is false where no gradient is needed (the graph's input): write nothing.
pleach_status plc_lower_grad_target(plc_lower *lower, int node, plc_tensor *grad, bool *accumulate,
                                    bool *wanted);

// Both gradients of a step whose node has one input.
typedef struct plc_step_grads {
    plc_tensor dy, dx; // to read, and to write
    bool accumulate, wanted;
} plc_step_grads;
pleach_status plc_lower_step_grads(plc_lower *lower, const plc_step *step, plc_step_grads *grads);

// Floats that live from a node's forward to its backward (statistics, coefficients): offset into scratch. Fails with
// PLEACH_ENOMEM where an int does not index them.
pleach_status plc_lower_scratch(plc_lower *lower, int node, size_t floats, int *offset);

// Floats that live only from one launch to the next ones of the same step: lower->workspace from 0.
void plc_lower_workspace(plc_lower *lower, size_t floats);

// Gives the value of `node` room for sums in n_splits parts, for the batch norm that reads it.
pleach_status plc_lower_sums(plc_lower *lower, int node, int batch_norm, int n_splits,
                             plc_buffer **buffer);

// Offset in `masks` of the first channel's factor, -1 when no mask acts at this node.
int plc_lower_mask(const plc_lower *lower, int node);

// What a relu or clip node does; off for any other.
plc_clip plc_clip_of(const pleach_graph *graph, int node);

// The bounds as tensors of this device hold them, so that a stored value tells whether it was clipped.
plc_clip plc_lower_stored_clip(const plc_lower *lower, plc_clip clip);

// Bytes of a tensor's planes for all images.
double plc_tensor_bytes(const plc_lower *lower, plc_tensor tensor);

#endif
