// Counter-based random numbers: cl/random.h for single ones (the same source runs on the device),
// and what only the host needs.
#ifndef PLC_BASE_RANDOM_H
#define PLC_BASE_RANDOM_H

#include <stddef.h>

#include "../../cl/random.h"

// Fills values[0..n) with draws of (seed, stream, step, element): element i is the same for every n.
void plc_random_fill_uniform(plc_u64 seed, plc_u32 stream, plc_u32 step, float low, float high,
                             float *values, size_t n);
void plc_random_fill_normal(plc_u64 seed, plc_u32 stream, plc_u32 step, float mean, float deviation,
                            float *values, size_t n);

// Fisher-Yates: permutes items[0..n) as a pure function of (seed, stream, step, n).
void plc_random_shuffle(plc_u64 seed, plc_u32 stream, plc_u32 step, plc_u32 *items, plc_u32 n);

#endif
