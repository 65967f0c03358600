// Random arrays and permutations on the host.
#include <base/random.h>

void plc_random_fill_uniform(plc_u64 seed, plc_u32 stream, plc_u32 step, float low, float high,
                             float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const plc_u32x4 bits = plc_random_u32x4(seed, stream, step, i);

        values[i] = low + (high - low) * plc_random_uniform(bits.x);
    }
}

void plc_random_fill_normal(plc_u64 seed, plc_u32 stream, plc_u32 step, float mean, float deviation,
                            float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const plc_u32x4 bits = plc_random_u32x4(seed, stream, step, i);

        values[i] = mean + deviation * plc_random_normal(bits.x, bits.y);
    }
}

void plc_random_shuffle(plc_u64 seed, plc_u32 stream, plc_u32 step, plc_u32 *items, plc_u32 n)
{
    for (plc_u32 i = n; i > 1; i--) {
        const plc_u32 j = plc_random_below(plc_random_u32x4(seed, stream, step, i).x, i);
        const plc_u32 item = items[i - 1];

        items[i - 1] = items[j];
        items[j] = item;
    }
}
