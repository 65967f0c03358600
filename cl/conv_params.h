// conv_params.h: run-time arguments of the kernels in conv.cl. Read by C11 and by OpenCL C.
#ifndef PLEACH_CONV_PARAMS_H
#define PLEACH_CONV_PARAMS_H

// Parts of the epilogue of conv_forward: y = clip(mask * (scale * (conv + bias) + shift) + add).
// The data gradients know CONV_ADD only. Masks are read from the buffer of scales, so a launch has
// CONV_SCALE or CONV_MASK.
#define CONV_SCALE 1 // and shift
#define CONV_ADD   4
#define CONV_CLIP  8 // between low and high
#define CONV_BIAS  16
#define CONV_MASK  32
#define CONV_SUMS  128 // also sums for a batch norm's statistics
#define CONV_FLIP  64 // the data gradient of stride 1: filters flipped, channel axes exchanged

// Sizes are always those of the forward convolution x [N][groups*C][H][W] -> y [N][groups*K][P][Q].
// A view is (planes, first): its buffer has `planes` channels per image block, and the tensor
// begins at channel `first`.
typedef struct {
    int C, K, groups;           // channels in and out of ONE group
    int H, W, P, Q, R, S;       // input, output, kernel
    int stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
    int n_images, n_blocks;     // batch, and ceil(batch / LANES)
    int x_planes, x_first;      // view of x, or of dx
    int y_planes, y_first;      // view of y, or of dy
    int add_planes, add_first;  // view of what is added, shaped as y
    int w_offset, bias_offset;  // [groups*K][C][R][S] and [groups*K], in weight and gradient arena
    int scale_offset;           // first of groups*K scales or masks
    int shift_offset;           // first of groups*K shifts
    int mean_offset;            // first of groups*K running means, with CONV_SUMS
    int flags;                  // CONV_*
    float low, high;
    int rows;                   // rows of a plane per work-group (weight gradient: of y per split)
    int strips;                 // work-groups that share a row, each with a run of its pixels
    int splits;                 // weight gradient: runs of image blocks, see conv_grad_weight
    int u_offset;               // Winograd: transformed filters
    int tiles, channels;        // Winograd: most tiles and most input channels in scratch
    int k_runs, k_block;        // Winograd: runs of output channel tiles; output channels in scratch
} conv_params;

#endif
