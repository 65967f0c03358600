// Short forms for builders: each appends one node that reads the last one.
#ifndef PLC_MODELS_BUILD_H
#define PLC_MODELS_BUILD_H

#include <graph/graph.h>

// `at` is the value that the next node reads; every call moves it to the node it appended.
// A node is named `prefix` and `name` joined: "layer1.0." and "conv1".
typedef struct plc_build {
    pleach_ctx *ctx;     // borrowed
    pleach_graph *graph; // borrowed
    const char *prefix;  // borrowed; NULL: none
    int at;
} plc_build;

// Any operator with attributes.
pleach_status plc_build_node(plc_build *build, const char *op, const char *name,
                             const plc_attrs *attrs);
// Square kernel, no bias: a batch norm follows.
pleach_status plc_build_conv(plc_build *build, const char *name, int filters, int kernel,
                             int stride, int pad);
pleach_status plc_build_linear(plc_build *build, const char *name, int features); // with bias
pleach_status plc_build_pool(plc_build *build, const char *op, const char *name, int kernel,
                             int stride);
// Operators without attributes that the builder sets: batch_norm, relu, global_avg_pool, flatten.
pleach_status plc_build_op(plc_build *build, const char *op, const char *name);
// Depthwise: as many filters as there are channels, padded to keep the size at stride 1; no bias.
pleach_status plc_build_depthwise(plc_build *build, const char *name, int kernel, int stride);
// Convolution (padded to keep the size at stride 1), batch norm, and with `relu` not NULL a ReLU of that name.
pleach_status plc_build_conv_norm(plc_build *build, const char *conv, const char *norm,
                                  const char *relu, int filters, int kernel, int stride);
// add or concat of `first` and build->at, in this order.
pleach_status plc_build_join(plc_build *build, const char *op, const char *name, int first);

// global_avg_pool "avgpool", flatten "flatten", linear `name`.
pleach_status plc_build_classifier(plc_build *build, const char *name, int n_classes);

// Whether images are large enough for the stems of ImageNet's networks (stride 2, a pool); smaller ones get a stem
// that keeps their size, as is usual for CIFAR.
bool plc_build_is_large(plc_shape input);

#endif
