// Counter-based random numbers, one source for host (C11) and device (OpenCL C 1.2).
//
// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11). A number is a
// pure function of (seed, stream, step, index): no state, so order, lanes and resuming never matter.
// Integers and uniforms have the same bits everywhere. Normals agree to a few ulp only, because
// log, cos and sqrt round differently on each device: draw them in one place.
#ifndef PLC_CL_RANDOM_H
#define PLC_CL_RANDOM_H

#ifdef __OPENCL_VERSION__
typedef uint plc_u32;
typedef ulong plc_u64;
typedef uint4 plc_u32x4;
#define PLC_MUL_HI(a, b) mul_hi(a, b)
#define PLC_BOX_RADIUS(u) sqrt(-2.0f * log(u))
#define PLC_BOX_COS(angle) cos(angle)
#else
#include <math.h>
#include <stdint.h>
typedef uint32_t plc_u32;
typedef uint64_t plc_u64;
typedef struct plc_u32x4 {
    plc_u32 x, y, z, w;
} plc_u32x4;
#define PLC_MUL_HI(a, b) ((plc_u32)(((plc_u64)(a) * (b)) >> 32))
#define PLC_BOX_RADIUS(u) sqrtf(-2.0f * logf(u))
#define PLC_BOX_COS(angle) cosf(angle)
#endif

// What a number is for. Two purposes never share a stream, so they are never correlated.
enum plc_random_stream {
    PLC_STREAM_WEIGHTS = 1, // step: number of the parameter; index: element
    PLC_STREAM_SHUFFLE = 2, // step: epoch; index: position
    PLC_STREAM_AUGMENT = 3, // step: training step; index: image in the batch
    PLC_STREAM_SELECT = 5,  // choices of the pruner, planner and tuner
    PLC_STREAM_TEST = 6,
    PLC_STREAM_SPLIT = 7, // step: class, or list; index: position
    PLC_STREAM_VIEW = 8   // step: epoch; index: 2 * picture, and the next one
};

static inline plc_u32x4 plc_philox4x32(plc_u32x4 counter, plc_u32 key0, plc_u32 key1)
{
    for (int round = 0; round < 10; round++) {
        const plc_u32 hi0 = PLC_MUL_HI(0xD2511F53u, counter.x), lo0 = 0xD2511F53u * counter.x;
        const plc_u32 hi1 = PLC_MUL_HI(0xCD9E8D57u, counter.z), lo1 = 0xCD9E8D57u * counter.z;

        counter.x = hi1 ^ counter.y ^ key0;
        counter.y = lo1;
        counter.z = hi0 ^ counter.w ^ key1;
        counter.w = lo0;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return counter;
}

// Four independent words of 32 random bits.
static inline plc_u32x4 plc_random_u32x4(plc_u64 seed, plc_u32 stream, plc_u32 step, plc_u64 index)
{
    plc_u32x4 counter;

    counter.x = (plc_u32)index;
    counter.y = (plc_u32)(index >> 32);
    counter.z = step;
    counter.w = stream;
    return plc_philox4x32(counter, (plc_u32)seed, (plc_u32)(seed >> 32));
}

// Uniform in [0, 1), a multiple of 2^-24.
static inline float plc_random_uniform(plc_u32 bits)
{
    return (float)(bits >> 8) * 5.9604644775390625e-8f;
}

// Standard normal from two words (Box-Muller): sqrt(-2 ln u) cos(2 pi v). At most 5.77 in size.
static inline float plc_random_normal(plc_u32 bits_u, plc_u32 bits_v)
{
    return PLC_BOX_RADIUS(1.0f - plc_random_uniform(bits_u)) *
           PLC_BOX_COS(6.28318530717958648f * plc_random_uniform(bits_v));
}

// An integer in [0, n), n > 0. Its bias is below n / 2^32.
static inline plc_u32 plc_random_below(plc_u32 bits, plc_u32 n)
{
    return PLC_MUL_HI(bits, n);
}

#endif
