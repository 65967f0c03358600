// Run-time arguments of the kernels in prune.cl. Read by C11 and by OpenCL C.
#ifndef PLEACH_PRUNE_PARAMS_H
#define PLEACH_PRUNE_PARAMS_H

// A slice of the weight arena that belongs to one class: n_outer runs of n_inner floats, the first at
// `offset`, one every `stride` floats. A filter is one run, a filter's input channel one run per filter.
typedef struct {
    int offset, n_outer, stride, n_inner;
} prune_slice;

// Where the classes of a class's group stand in the list of all groups: peers[begin] .. peers[end - 1].
typedef struct {
    int begin, end;
} prune_peers;

// How score_norm reduces the slices of a class.
#define PRUNE_L1 0   // sum of abs(w)
#define PRUNE_L2 1   // square root of the sum of w*w
#define PRUNE_MEAN 2 // mean of abs(w)

#endif
