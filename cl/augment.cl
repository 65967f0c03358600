// augment.cl: 8-bit images to the input value: normalised, in training cut at random and mirrored.
#include "lanes.h"
#include "random.h"
#include "augment_params.h"

#pragma OPENCL FP_CONTRACT OFF

// Where the first pixel of an image comes from, and which way to go.
typedef struct {
    int top, left, step;
} cut_t;

// Image n of the batch in global step `step`: a pure function of these and the seed.
static inline cut_t random_cut(const augment_params *p, uint step, int n)
{
    const plc_u64 seed = ((plc_u64)p->seed_high << 32) | p->seed_low;
    const plc_u32x4 bits = plc_random_u32x4(seed, PLC_STREAM_AUGMENT, step, (plc_u64)n);
    const uint n_offsets = 2u * (uint)p->crop + 1u;
    const int mirror = (p->flags & AUGMENT_FLIP) && (bits.z & 1u);
    const int left = (int)plc_random_below(bits.y, n_offsets) - p->crop;

    return (cut_t){(int)plc_random_below(bits.x, n_offsets) - p->crop,
                   mirror ? left + p->W - 1 : left, mirror ? -1 : 1};
}

// y = (images / 255 - mean[c]) / std[c], shifted by up to `crop` pixels each way (0 where nothing
// is left: the padding comes after normalising) and mirrored with probability 1/2. Without crop and
// flip, or with `train` 0, this is plain normalising.
// images [n_images][C][H][W] bytes; y [N/L][C][H][W][L], 0 in empty lanes; mean_std [2][C].
// Work: a group per (tile of rows, channel, block). A lane reads its own image.
GROUP __kernel void augment(__global const uchar *restrict images,
                            __global const float *restrict mean_std, __global stored_t *restrict y,
                            const augment_params p, uint step, int train)
{
    const int c = GRID(1), nb = GRID(2), size = p.H * p.W;
    const int begin = GRID(0) * p.tile_rows, end = min(begin + p.tile_rows, p.H);
    const float over_std = 1.0f / mean_std[p.C + c];
    const float scale = over_std * (1.0f / 255.0f), shift = -mean_std[c] * over_std;

    y += VIEW(nb, p.y_planes, p.y_first, c, size) * STEP;
#ifdef LANES_IN_VECTOR
    for (int lane = 0; lane < LANES; lane++) {
#else
    {
        const int lane = LANE;
#endif
        const int n = nb * LANES + lane, valid = n < p.n_images;
        const cut_t cut = train && valid ? random_cut(&p, step, n) : (cut_t){0, 0, 1};
        __global const uchar *restrict image = images + ((valid ? n : 0) * p.C + c) * size;

        // Columns whose source lies inside the image: none when the cut misses it.
        const int first = clamp(cut.step > 0 ? -cut.left : cut.left - p.W + 1, 0, p.W);
        const int last = clamp(cut.step > 0 ? p.W - cut.left : cut.left + 1, first, p.W);

        for (int h = begin; h < end; h++) {
            const int from_h = h + cut.top, inside = valid && (uint)from_h < (uint)p.H;
            const int from_w = inside ? first : p.W, to_w = inside ? last : p.W;
            __global const uchar *restrict row = image + (inside ? from_h : 0) * p.W + cut.left;
            const int at = h * p.W * LANES + lane;

            for (int w = 0; w < from_w; w++)
                store_one(y, at + w * LANES, 0.0f);
            for (int w = from_w; w < to_w; w++)
                store_one(y, at + w * LANES, fma((float)row[w * cut.step], scale, shift));
            for (int w = to_w; w < p.W; w++)
                store_one(y, at + w * LANES, 0.0f);
        }
    }
}
