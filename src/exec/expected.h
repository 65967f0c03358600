// What a chain of layers computes, on the host in double precision: the known answers of the self-test.
#ifndef PLC_EXEC_EXPECTED_H
#define PLC_EXEC_EXPECTED_H

#include <graph/graph.h>

// A graph in which every node reads the one before it: conv (one group, no dilation), linear,
// batch_norm, relu after a batch norm, flatten. Plain loops: for networks of some thousand values.
typedef struct plc_expected {
    const pleach_graph *graph;       // borrowed
    const plc_params_layout *layout; // borrowed
    const int *mask_offsets;         // borrowed: per node, as the session's
    const float *masks;              // borrowed: at the offsets of batch norms
    int n_images;
    double *weights; // owned, the caller fills it: an arena; running statistics change in training
    double *grads;   // owned: [n_trainable]
    double **values; // owned, per node [n_images][C][H][W]; the caller fills node 0
    double **value_grads;
    double loss_sum;
    int n_correct;
} plc_expected;

pleach_status plc_expected_create(pleach_ctx *ctx, const pleach_graph *graph,
                                  const plc_params_layout *layout, int n_images,
                                  plc_expected **expected);
void plc_expected_destroy(plc_expected **expected);

// Values of all nodes from those of node 0. In training batch norms take the batch's statistics and
// update the running ones.
void plc_expected_forward(plc_expected *expected, bool training);

// Softmax cross-entropy of the last node's values: loss_sum, n_correct, and its gradient, the mean's.
void plc_expected_loss(plc_expected *expected, const int *labels);

// Gradients of all parameters, after forward in training and loss.
void plc_expected_backward(plc_expected *expected);

// Floats of one image of a node's value.
int plc_expected_size(const plc_expected *expected, int node);

#endif
