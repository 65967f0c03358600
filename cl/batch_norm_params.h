// batch_norm_params.h: run-time arguments of batch_norm.cl's kernels. Read by C11 and OpenCL C.
#ifndef PLEACH_BATCH_NORM_PARAMS_H
#define PLEACH_BATCH_NORM_PARAMS_H

// Coefficients of one batch norm: rows of C floats, the first at coefficients_offset.
enum {
    BN_SCALE, // forward: bn = scale*x + shift; 0 and 0 in a masked channel
    BN_SHIFT,
    BN_MEAN, // of the batch
    BN_RSTD, // 1 / sqrt(variance + eps)
    // Clipping lets the gradient through where low < open_scale*x + open_shift < high: as BN_SCALE and
    // BN_SHIFT, but in a masked channel as if there were no mask.
    BN_OPEN_SCALE,
    BN_OPEN_SHIFT,
    BN_KEPT, // the mask, 1 where there is none
    BN_DX_G, // backward: dx = dx_g*g + dx_x*(x - mean) + dx_one
    BN_DX_X,
    BN_DX_ONE,
    BN_N_COEFFICIENTS
};

// Flags.
#define BN_CLIP 1 // y between low and high
#define BN_ADD 2
#define BN_WRITE_DADD 4      // bn_backward_reduce: dadd = g
#define BN_ACCUMULATE_DADD 8 // bn_backward_reduce: dadd += g
#define BN_ACCUMULATE_DX 16
#define BN_MASK_GRADIENTS 32 // a masked channel gets no gradient
#define BN_SUMS_GIVEN 64     // bn_finalize: a convolution summed, relative to the running mean

// A view is (planes, first): its buffer has `planes` channels per image block, the tensor begins at
// channel `first`.
typedef struct {
    int C, size;            // channels; pixels of a plane, H*W
    int n_images, n_blocks; // batch, and ceil(batch / LANES)
    int x_planes, x_first;
    int y_planes, y_first;
    int add_planes, add_first;
    int dy_planes, dy_first;
    int dx_planes, dx_first;
    int dadd_planes, dadd_first;
    int gamma_offset, beta_offset;    // in the weight and gradient arenas
    int mean_offset, variance_offset; // running statistics, in the weight arena
    int mask_offset;                  // in the masks, -1: none
    int gate_offset;                  // in the gates
    int coefficients_offset;          // in the scratch
    int n_splits, run; // sums: parts of `run` pixels of n_blocks*size; never depends on C
    int tile_channels, tile_pixels; // what one work-group of an elementwise kernel covers
    int flags;
    float eps;
    float low, high; // where a tensor is of halfs, such
} batch_norm_params;

#endif
