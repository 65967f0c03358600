// Inference on channel lanes: vectors of LANES channels of one pixel, for batches that would leave most
// batch lanes empty. Tensors are [N][H][W][planes] (ops/lower.h, cl/channel_lanes.h).
//
// Here too a result's bits do not depend on which other channels there are: a masked and a compacted
// network agree. They differ from those of the batch lanes within rounding.
//
// Launchers below append to lower->list, and to lower->prepare what depends on weights alone.
#ifndef PLC_OPS_CHANNEL_LANES_H
#define PLC_OPS_CHANNEL_LANES_H

#include <conv_params.h>
#include <ops/lower.h>

// Whether inference of `n_images` at once should be on channel lanes: they leave batch lanes empty, the
// device maps lanes to vectors, and every operator knows how. Says the same of a network and its pruned one.
bool plc_channel_lanes_suit(const pleach_device *device, const pleach_graph *graph, int n_images);

// Operators' forward_channel_lanes.
pleach_status plc_channel_conv_forward(plc_lower *lower, const plc_step *step);
pleach_status plc_channel_batch_norm_forward(plc_lower *lower, const plc_step *step);
pleach_status plc_channel_max_pool_forward(plc_lower *lower, const plc_step *step);
pleach_status plc_channel_avg_pool_forward(plc_lower *lower, const plc_step *step);
pleach_status plc_channel_global_avg_pool_forward(plc_lower *lower, const plc_step *step);

// A launch of kernel `name` in the file of that name, a group per tile of n_items (pixels or rows) of item_floats
// each; sets *tile, which lies in the params.
pleach_status plc_channel_append(plc_lower *lower, const char *name, plc_buffer *const *buffers,
                                 int n_buffers, const void *params, size_t params_bytes, int *tile,
                                 int n_items, int item_floats, double bytes);

// Scales and shifts of C channels in lower->scratch.
typedef struct plc_channel_scaling {
    int scale_offset, shift_offset;
} plc_channel_scaling;

// y = [clip]([scale *] x [+ shift] [+ add]); add and scaling may be NULL. y may be x or add.
pleach_status plc_channel_map(plc_lower *lower, plc_tensor x, const plc_tensor *add,
                              const plc_channel_scaling *scaling, plc_clip clip, plc_tensor y);

// y = a * b; b may have one pixel per channel. y may be a.
pleach_status plc_channel_product(plc_lower *lower, plc_tensor a, plc_tensor b, plc_tensor y);

// The input's value from uint8 images [n_images][C][H][W]; mean_std as plc_augment_lower has it.
pleach_status plc_channel_images(plc_lower *lower, plc_buffer *images, plc_buffer *mean_std);

// Logits to batch lanes [ceil(n_images/L)][C][L], 0 in empty lanes.
pleach_status plc_channel_logits(plc_lower *lower, plc_tensor logits, plc_buffer *lanes);

#endif
