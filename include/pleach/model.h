// A model: a network with its weights, read from a file, looked at, written for other programs.
#ifndef PLEACH_MODEL_H
#define PLEACH_MODEL_H

#include <stdbool.h>
#include <pleach/session.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pleach_model pleach_model;

// Reads a model file: ONNX where `path` ends in .onnx, else one that pleach has written (safetensors).
// The caller owns *model. Fails with PLEACH_EIO, PLEACH_EINPUT and PLEACH_EGRAPH: text names file, node or
// tensor and reason.
pleach_status pleach_model_read(pleach_ctx *ctx, const char *path, pleach_model **model);

// The network `name` (pleach_graph_create) with initial weights (He normal) that are a function of `seed`. The
// caller owns *model. Fails as pleach_graph_create does.
pleach_status pleach_model_create(pleach_ctx *ctx, const char *name, int channels, int height,
                                  int width, int n_classes, unsigned long long seed,
                                  pleach_model **model);
void pleach_model_destroy(pleach_model **model);

// Works when zero. Both are of ONNX files.
typedef struct pleach_model_write_opts {
    bool batch_norms; // keep them: else they join the convolution or linear layer before them
    int opset;        // 7 to 22; 0: 13
} pleach_model_write_opts;

// Writes ONNX where `path` ends in .onnx, else a model file of ours. Replaces `path` atomically. `opts` may be
// NULL. Fails with PLEACH_EIO, PLEACH_EUSAGE (an opset that is not written), PLEACH_EGRAPH (an operator
// without an ONNX form).
pleach_status pleach_model_write(pleach_ctx *ctx, const pleach_model *model, const char *path,
                                 const pleach_model_write_opts *opts);

// Of the model: borrowed, until it is destroyed.
const pleach_graph *pleach_model_graph(const pleach_model *model);

// {C, H, W} of an image, and of what comes out: {classes, 1, 1} where these are logits.
void pleach_model_input(const pleach_model *model, int shape[3]);
void pleach_model_output(const pleach_model *model, int shape[3]);

// How images are normalised, (x / 255 - mean[c]) / std[c], as the file says it: C floats each. *given is
// false, and they are 0 and 1, where it says nothing. Fails with PLEACH_EINPUT where it gives no numbers.
pleach_status pleach_model_normalisation(pleach_ctx *ctx, const pleach_model *model, float *mean,
                                         float *std, bool *given);

enum { PLEACH_TENSOR_NAME_MAX = 256 };

// A parameter: convolutions' weights are OIHW, linear layers' {O, I}; biases and what batch norms have {C}.
typedef struct pleach_tensor {
    char name[PLEACH_TENSOR_NAME_MAX]; // "layer1.0.conv1.weight"
    int dims[4], n_dims;
    bool trainable;    // false: a running statistic
    const float *data; // borrowed from the model
} pleach_tensor;

// Parameters in the order of the network's nodes; `index` from 0 to n_tensors - 1.
int pleach_model_n_tensors(const pleach_model *model);
void pleach_model_tensor(const pleach_model *model, int index, pleach_tensor *tensor);

// Gives a session of the model's graph the model's weights. Blocks. Fails with PLEACH_EUSAGE where the session
// is of another network, PLEACH_EDEVICE where the device does; texts are those of the session's context.
pleach_status pleach_session_load(pleach_session *session, const pleach_model *model);

#ifdef __cplusplus
}
#endif

#endif
