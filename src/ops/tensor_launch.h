// Launches of tensor kernels: their arguments, and how tensors are cut into work-groups.
#ifndef PLC_OPS_TENSOR_LAUNCH_H
#define PLC_OPS_TENSOR_LAUNCH_H

#include <ops/lower.h>

// Appends a launch of `kernel` of cl/<file>.cl to `list`. Its arguments are the buffers in order, then
// the struct `params` by value. Name no buffer that the kernel does not touch: buffers live from their
// first launch to their last.
pleach_status plc_append_tensor_launch(plc_launch_list *list, const char *file, const char *kernel,
                                       plc_buffer *const *buffers, int n_buffers,
                                       const void *params, size_t params_bytes,
                                       plc_launch **launch);

// The buffers of a launch as two arguments.
#define PLC_BUFFERS(...)                                                                           \
    (plc_buffer *const[]){__VA_ARGS__},                                                            \
        (int)(sizeof((plc_buffer *const[]){__VA_ARGS__}) / sizeof(plc_buffer *))

// A launch whose work-groups cover tiles of channels x items (pixels or rows) of one image block.
typedef struct plc_tiled_launch {
    const char *file, *kernel;  // static
    plc_buffer *const *buffers; // the kernel's arguments in order, then `params` by value
    int n_buffers, result;      // result: index of the buffer that the kernel writes
    void *params;               // *tile_items and *tile_channels lie in it and are set here
    size_t params_bytes;
    int *tile_items, *tile_channels; // tile_channels may be NULL: n_channels is 1 then
    int n_channels, n_items;
    int item_pixels; // an item is work for so many pixels
    double flops, bytes;
} plc_tiled_launch;

// Appends it to lower->list with a grid of (tiles of items, tiles of channels, image blocks); the tuner
// knows or measures how large the tiles are. They change speed, never a bit of a result.
pleach_status plc_append_tiled_launch(plc_lower *lower, const plc_tiled_launch *tiled,
                                      plc_launch **launch);

// The same for a kernel that writes its last buffer and sees n_pixels of all channels alike; of `pixels`
// result, n_channels, n_items and item_pixels are set here.
pleach_status plc_append_pixels_launch(plc_lower *lower, plc_tiled_launch pixels, int n_pixels);

// A group covers `channels` channels x `items` items (pixels or rows) of one image block.
// A cut changes speed, never a bit of a result.
typedef struct plc_tile {
    int channels, items;
    size_t n_channel_tiles, n_item_tiles; // >= 1
} plc_tile;

// Cuts n_channels channels of `n_items` items, each of which is work for `item_pixels` pixels.
plc_tile plc_tile_planes(const pleach_device *device, int n_channels, int n_items, int item_pixels);

#endif
