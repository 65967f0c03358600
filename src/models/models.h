// Networks by name: builders that only call graph/. Each gives a graph that the caller owns.
#ifndef PLC_MODELS_MODELS_H
#define PLC_MODELS_MODELS_H

#include <graph/graph.h>

// Plain 5-layer network: 4 x conv3x3-bn-relu of width/8, width/4, width/2, width filters with max
// pooling between (as long as there are 2 x 2 pixels), global average pool, linear.
pleach_status plc_model_cnn5(pleach_ctx *ctx, plc_shape input, int n_classes, int width,
                             pleach_graph **graph);
// The cnn5 whose MACs are nearest to `macs`; the narrowest or widest one when that is out of reach.
pleach_status plc_model_cnn5_for_macs(pleach_ctx *ctx, plc_shape input, int n_classes,
                                      long long macs, pleach_graph **graph);

// ResNet for small images (He et al. 2016, section 4.2), depth 6n + 2: 3x3 stem of 16 channels,
// stages of n blocks at 16, 32, 64; 1x1 convolution and batch norm on the shortcut where the shape
// changes.
pleach_status plc_model_resnet(pleach_ctx *ctx, plc_shape input, int n_classes, int depth,
                               pleach_graph **graph);

// VGG-16 with batch norm for small images: 13 convolutions, one linear layer.
pleach_status plc_model_vgg16(pleach_ctx *ctx, plc_shape input, int n_classes,
                              pleach_graph **graph);

// DenseNet-40, growth 12, no bottleneck, no compression (Huang et al. 2017): 3 blocks of 12.
pleach_status plc_model_densenet40(pleach_ctx *ctx, plc_shape input, int n_classes,
                                   pleach_graph **graph);

// Networks of ImageNet, named as in torchvision. Images of at least 64 x 64 pixels get their stems, smaller ones a
// stem that keeps the size; dropout is left out.

// ResNet (He et al. 2016): depth 18 and 34 of basic blocks, 50 of bottlenecks with the stride in the 3x3.
pleach_status plc_model_resnet_imagenet(pleach_ctx *ctx, plc_shape input, int n_classes, int depth,
                                        pleach_graph **graph);
// MobileNetV2 (Sandler et al. 2018), with ReLU where the paper has ReLU6.
pleach_status plc_model_mobilenet_v2(pleach_ctx *ctx, plc_shape input, int n_classes,
                                     pleach_graph **graph);
// DenseNet-121 (Huang et al. 2017): bottlenecks, growth 32, transitions that halve.
pleach_status plc_model_densenet121(pleach_ctx *ctx, plc_shape input, int n_classes,
                                    pleach_graph **graph);
// VGG-16 with batch norm, biases and three linear layers. Its layers are plc_model_vgg16's, pools that small images
// cannot take left out.
pleach_status plc_model_vgg16_bn(pleach_ctx *ctx, plc_shape input, int n_classes,
                                 pleach_graph **graph);

#endif
