// channel_network.cl: all launches of a network on channel lanes as one.
//
// With one image a layer takes a few microseconds, less than a CPU's idle thread needs to wake up for
// the next launch: one thread would do everything. Here as many work-groups as there are threads
// ("workers") stay for the whole network. In each launch of the list a worker takes the groups of its
// own share, then what others have not begun, and waits until all groups of the launch are done.
//
// No worker waits for a group that nobody has begun: a launch's groups are all taken before anybody
// waits, by workers that run. So it ends with any number of workers at a time, even if the device
// runs one after the other. A worker that has waited for long leaves: other programs then hold the
// processor that somebody needs, and those who are waited for do the rest. It needs stores of one
// work-group to be seen by another after an atomic operation in both, which OpenCL C 1.2 does not
// promise and CPUs do.
#include "channel_conv.h"
#include "channel_function.h"
#include "channel_map.h"
#include "channel_network_params.h"
#include "channel_pad.h"
#include "channel_pool.h"
#include "channel_winograd.h"

#pragma OPENCL FP_CONTRACT OFF

// Looks at the progress before a worker leaves: about a millisecond, a good part of the time that an
// operating system gives to another program, longer than a group should take.
enum { POLLS_MAX = 1 << 20 };

typedef struct {
    __global float *slab, *input, *logits, *prepared;
    __local float *scratch;
} memory_t;

static inline __global float *at_place(const memory_t *memory, channel_place place)
{
    switch (place.in) {
    case CHANNEL_IN_SLAB:
        return memory->slab + place.first;
    case CHANNEL_IN_INPUT:
        return memory->input + place.first;
    case CHANNEL_IN_LOGITS:
        return memory->logits + place.first;
    default:
        return memory->prepared + place.first;
    }
}

// One group of a launch.
static void run_group(const memory_t *memory, __global const channel_launch *from, int group)
{
    const channel_launch launch = *from;
    const int2 at = (int2)(group / launch.n_y, group % launch.n_y);
    __global const float *x = at_place(memory, launch.x), *add = at_place(memory, launch.add);
    __global float *y = at_place(memory, launch.y);

    switch (launch.kind) {
    case CHANNEL_CONV:
        conv_group(at, x, y, add, memory->prepared, &launch.of.conv);
        break;
    case CHANNEL_CONV_DEPTHWISE:
        depthwise_group(at, x, y, add, memory->prepared, &launch.of.conv);
        break;
    case CHANNEL_WINOGRAD:
        winograd_group(at, x, y, add, memory->prepared, memory->scratch, &launch.of.conv);
        break;
    case CHANNEL_MAP:
        map_group(at, x, add, y, memory->prepared, &launch.of.map);
        break;
    case CHANNEL_MAX_POOL:
        pool_group(true, at, x, y, &launch.of.pool);
        break;
    case CHANNEL_AVG_POOL:
        pool_group(false, at, x, y, &launch.of.pool);
        break;
    case CHANNEL_PAD:
        pad_group(at, x, y, &launch.of.pad);
        break;
    default:
        function_group(at, x, y, &launch.of.function);
        break;
    }
}

// Runs the groups of a launch's share `share` of n_shares that nobody has begun.
static void run_share(const memory_t *memory, __global const channel_launch *launch,
                      __global volatile int *state, int n_shares, int share)
{
    const int2 groups = run_of(launch->n_x * launch->n_y, n_shares, share);

    for (int i = groups.x; i < groups.x + groups.y; i++)
        if (atomic_xchg(&state[CHANNEL_TAKEN + launch->first_group + i], 1) == 0) {
            run_group(memory, launch, i);
            atomic_inc(&state[CHANNEL_N_DONE]);
        }
}

// channel_network: runs launches[n_launches], of n_groups groups in all, one after the other.
// state [CHANNEL_TAKEN + n_groups]: zeros, and zeros again at its end
// scratch: as the launch that needs most of it
// Grid: (workers, 1, 1).
GROUP __kernel void channel_network(__global float *slab, __global float *input,
                                    __global float *logits, __global float *prepared,
                                    __global const channel_launch *launches,
                                    __global volatile int *state, __local float *scratch,
                                    int n_launches, int n_groups)
{
    const memory_t memory = {slab, input, logits, prepared, scratch};
    const int worker = GRID(0), n_workers = get_num_groups(0);

    for (int i = 0; i < n_launches; i++) {
        const int end = launches[i].first_group + launches[i].n_x * launches[i].n_y;

        if (state[CHANNEL_N_DONE] < end) {
            for (int j = 0; j < n_workers; j++)
                run_share(&memory, &launches[i], state, n_workers, (worker + j) % n_workers);
            for (int j = 0; j < POLLS_MAX && state[CHANNEL_N_DONE] < end; j++)
                ;
            if (state[CHANNEL_N_DONE] < end)
                break;
        }
        atomic_add(&state[CHANNEL_N_DONE], 0); // orders what follows behind what others stored
    }
    if (atomic_inc(&state[CHANNEL_N_LEFT]) == n_workers - 1) {
        for (int i = 0; i < n_groups; i++)
            state[CHANNEL_TAKEN + i] = 0;
        state[CHANNEL_N_DONE] = 0;
        state[CHANNEL_N_LEFT] = 0;
    }
}
