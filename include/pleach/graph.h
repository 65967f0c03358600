// A network as data: made by name, read from a model file, changed by pruning and fusion.
#ifndef PLEACH_GRAPH_H
#define PLEACH_GRAPH_H

#include <pleach/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pleach_graph pleach_graph;

// Builds the network `model` ("cnn5", "resnet20|32|44|56|110", "vgg16", "densenet40"; as for ImageNet
// "resnet18|34|50", "mobilenet_v2", "densenet121", "vgg16_bn") for images of
// channels x height x width and `n_classes` classes. The caller owns *graph.
// Fails with PLEACH_EUSAGE for an unknown name (text gives the nearest known one) and with
// PLEACH_EGRAPH for an image too small for the network.
pleach_status pleach_graph_create(pleach_ctx *ctx, const char *model, int channels, int height,
                                  int width, int n_classes, pleach_graph **graph);
void pleach_graph_destroy(pleach_graph **graph);

// Multiply-accumulates of one image (convolutions and linear layers) and parameters (all trainable).
long long pleach_graph_macs(const pleach_graph *graph);
long long pleach_graph_params(const pleach_graph *graph);

#ifdef __cplusplus
}
#endif

#endif
