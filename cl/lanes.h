// lanes.h: the batch lanes. Index arithmetic that every kernel shares, spelled once (OpenCL C 1.2).
//
// A tensor [N][C][H][W] is stored as [ceil(N/LANES)][planes][H][W][LANES]: LANES images lie side by
// side, innermost. Two mappings, one source:
//   LANES_IN_VECTOR  real_t is a vector of LANES floats (4, 8 or 16): a work-item holds all lanes.
//                    Of (a, b, c) groups: global size (a, b, c), local size (1, 1, 1).
//   otherwise        real_t is a float: a group is LANES work-items, one image each.
//                    Of (a, b, c) groups: global size (a * LANES, b, c), local (LANES, 1, 1).
// Arithmetic and sums are float. What a tensor's memory holds is stored_t: real_t, or with
// HALF_STORAGE the same lanes as halfs, rounded to the nearest even when stored (core OpenCL 1.2).
//
// Use: GROUP __kernel void f(__global const stored_t *restrict x, ...) { ... load(x + AT(i)) ... }
// with i counted in pixels ([nb][plane][h][w], see VIEW). Partial sums and whatever else is not a
// tensor stay pointers to real_t, read as p[AT(i)]. A value that is the same for all images is a
// plain float: (real_t)(value) spreads it. The last block of a batch may have empty lanes. They
// hold anything, NaN included; sums over the batch must drop them with keep(lane_mask(nb,
// n_images), value); maps from lane to lane need not care.
#ifndef PLEACH_LANES_H
#define PLEACH_LANES_H

#ifndef LANES
#define LANES 16
#endif

#ifdef LANES_IN_VECTOR

#if LANES == 16
typedef float16 real_t;
typedef int16 mask_t;
#define LANE_NUMBERS ((int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#elif LANES == 8
typedef float8 real_t;
typedef int8 mask_t;
#define LANE_NUMBERS ((int8)(0, 1, 2, 3, 4, 5, 6, 7))
#elif LANES == 4
typedef float4 real_t;
typedef int4 mask_t;
#define LANE_NUMBERS ((int4)(0, 1, 2, 3))
#else
#error "LANES_IN_VECTOR needs LANES of 4, 8 or 16"
#endif
#define LANE 0
#define STEP 1
#define GROUP __attribute__((reqd_work_group_size(1, 1, 1)))
#define LANE_BARRIER()
#define SCRATCH_SPACE __private
typedef real_t scratch_t;

#else

typedef float real_t;
typedef int mask_t;
#define LANE ((int)get_local_id(0))
#define LANE_NUMBERS LANE
#define STEP LANES
#define GROUP __attribute__((reqd_work_group_size(LANES, 1, 1)))
#define LANE_BARRIER() barrier(CLK_LOCAL_MEM_FENCE)
#define SCRATCH_SPACE __local
typedef float scratch_t;

#endif

#define VECTOR_OF_(name, n) name##n
#define VECTOR_OF(name, n) VECTOR_OF_(name, n)

// Storage: load and store all lanes that a work-item holds at a pixel, load_one and store_one value
// i of those behind one another from `base` (lane l of pixel p is value p * LANES + l).
#ifdef HALF_STORAGE

#ifdef LANES_IN_VECTOR
typedef VECTOR_OF(ushort, LANES) stored_t;
#define STORE_HALF_(n) vstorea_half##n##_rte
#define STORE_HALF(n) STORE_HALF_(n)
#else
typedef ushort stored_t;
#endif

static inline real_t load(__global const stored_t *from)
{
#ifdef LANES_IN_VECTOR
    return VECTOR_OF(vloada_half, LANES)(0, (__global const half *)from);
#else
    return vload_half(0, (__global const half *)from);
#endif
}

static inline void store(__global stored_t *to, real_t value)
{
#ifdef LANES_IN_VECTOR
    STORE_HALF(LANES)(value, 0, (__global half *)to);
#else
    vstore_half_rte(value, 0, (__global half *)to);
#endif
}

static inline float load_one(__global const stored_t *base, int i)
{
    return vload_half(i, (__global const half *)base);
}

static inline void store_one(__global stored_t *base, int i, float value)
{
    vstore_half_rte(value, i, (__global half *)base);
}

#else

typedef real_t stored_t;

// No functions: where one is inlined may change what a compiler makes of the loop around it.
#define load(from) (*(from))
#define store(to, value) (*(to) = (value))
#define load_one(base, i) (((__global const float *)(base))[i])
#define store_one(base, i, value) (((__global float *)(base))[i] = (value))

#endif

// Position of the work-group in the grid; the same in both mappings. Kernels ask for it, what they
// call gets it from them: on a board one work-item walks along the grid (src/kernel/program_text.h).
#define GRID(d) ((int)get_group_id(d))

// Cuts n into n_parts runs whose lengths differ by at most one; (first, length) of run i.
static inline int2 run_of(int n, int n_parts, int i)
{
    const int base = n / n_parts, longer = n % n_parts;
    return (int2)(i * base + min(i, longer), base + (i < longer));
}

// The fewest runs that are no longer than `largest`.
static inline int parts_of(int n, int largest)
{
    return (n + largest - 1) / largest;
}

// Index of pixel i in a pointer to stored_t or real_t.
#define AT(i) ((i) * STEP + LANE)

// First pixel of channel c in image block nb, in a view that begins at plane `first` of a tensor
// with `planes` planes per block and `size` = H*W pixels per plane.
#define VIEW(nb, planes, first, c, size) ((((nb) * (planes)) + (first) + (c)) * (size))

// Lanes of block nb that hold one of n_images images; keep() puts +0 into the others.
#define lane_mask(nb, n_images) (LANE_NUMBERS < (mask_t)((n_images) - (nb) * LANES))
#define keep(mask, value) select((real_t)(0.0f), (value), (mask))

// Between low and high; a ReLU is that from 0 to infinity. Lets a NaN through, so that a diverging
// network is noticed (fmax would hide it).
static inline real_t limit(real_t v, float low, float high)
{
    v = select(v, (real_t)(low), v < (real_t)(low));
    return select(v, (real_t)(high), v > (real_t)(high));
}

// `inside` where low < v < high, else 0.
static inline real_t where_inside(real_t v, float low, float high, real_t inside)
{
    const real_t above = select((real_t)(0.0f), inside, v > (real_t)(low));
    return select((real_t)(0.0f), above, v < (real_t)(high));
}

// Lanes that a work-item holds, and its real_t from and to floats of consecutive lanes. store_held
// writes lanes below `count` only; `to` stands at lane 0 of the group.
#ifdef LANES_IN_VECTOR
#define HELD LANES
static inline real_t load_held(const float *from)
{
    return VECTOR_OF(vload, LANES)(0, from);
}

static inline void store_held(__global float *to, real_t value, int count)
{
    if (count >= LANES) {
        VECTOR_OF(vstore, LANES)(value, 0, to);
        return;
    }
    float held[LANES];
    VECTOR_OF(vstore, LANES)(value, 0, held);
    for (int l = 0; l < count; l++)
        to[l] = held[l];
}
#else
#define HELD 1
static inline real_t load_held(const float *from)
{
    return *from;
}

static inline void store_held(__global float *to, real_t value, int count)
{
    if (LANE < count)
        to[LANE] = value;
}
#endif

// Floats from one parked value to the next: odd where a lane is a work-item, so that work-items which each add
// the lanes of a value of their own meet different banks of local memory.
#ifdef LANES_IN_VECTOR
#define LANE_PITCH LANES
#else
#define LANE_PITCH (LANES + 1)
#endif

// Sums over the lanes. A kernel declares LANE_SCRATCH(scratch, n) at its top; each lane parks up to
// n values; after LANE_BARRIER() any work-item may read the sum over lanes of value i. All n sums,
// spread over the work-items:
//     for (int i = LANE; i < n; i += STEP) out[i] = parked_sum(scratch, i);
// Barriers must stand where PoCL 3.1 survives them: not inside a switch or a branch, even if all
// lanes take it. Order of additions, the same in both mappings: lane i + lane i+L/2, then halves
// again.
#ifdef LANES_IN_VECTOR
#define LANE_SCRATCH(name, n) real_t name[n]
#else
#define LANE_SCRATCH(name, n) __local float name[(n) * LANE_PITCH]
#endif

static inline void park(SCRATCH_SPACE scratch_t *scratch, int i, real_t value)
{
    scratch[i * (LANE_PITCH / HELD) + LANE] = value;
}

static inline float parked_sum(const SCRATCH_SPACE scratch_t *scratch, int i)
{
    const SCRATCH_SPACE float *lanes = (const SCRATCH_SPACE float *)scratch + i * LANE_PITCH;
    float sum[LANES / 2];

    #pragma unroll
    for (int l = 0; l < LANES / 2; l++)
        sum[l] = lanes[l] + lanes[l + LANES / 2];
    #pragma unroll
    for (int width = LANES / 4; width > 0; width /= 2)
        #pragma unroll
        for (int l = 0; l < LANES / 4; l++)
            if (l < width)
                sum[l] += sum[l + width];
    return sum[0];
}

// Sum over the lanes of one value, known to every lane. All work-items of a group must call it.
// Uses scratch[0].
static inline float lane_sum(SCRATCH_SPACE scratch_t *scratch, real_t value)
{
    LANE_BARRIER();
    park(scratch, 0, value);
    LANE_BARRIER();
    return parked_sum(scratch, 0);
}

#endif
