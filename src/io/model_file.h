// A model in one file: the network, its parameters, what a trainer needs to go on.
//
// A safetensors file. Tensors: each parameter of the graph by its name ("conv1.weight"), and state
// ("pleach.state." before its name). Metadata: "pleach.format", "pleach.graph" (the graph's JSON),
// and what the writer adds: data set, normalisation, step counters.
#ifndef PLC_IO_MODEL_FILE_H
#define PLC_IO_MODEL_FILE_H

#include <stdbool.h>
#include <base/status.h>
#include <graph/graph.h>
#include <io/tensor_file.h>

// Works when zero.
typedef struct plc_model_file {
    pleach_graph *graph;       // owned; the reader may take it and leave NULL
    plc_params_layout *layout; // owned, of the graph
    float *weights;            // owned: [layout->n_floats]
    plc_tensors extra; // owned: state tensors (without the prefix), metadata (without pleach.graph)
} plc_model_file;

// Writes weights[layout->n_floats] and, unless NULL, the tensors and metadata of `extra`.
// Replaces `path` atomically. Fails with PLEACH_EIO; PLEACH_EINPUT for names that would not be read.
pleach_status plc_model_file_write(pleach_ctx *ctx, const char *path, const pleach_graph *graph,
                                   const plc_params_layout *layout, const float *weights,
                                   const plc_tensors *extra);

// Reads a file of ours, or where `path` ends in .onnx one of io/onnx.h.
// Every parameter of the graph must be there with its shape, and no tensor that is neither parameter
// nor state. Fails with PLEACH_EIO, PLEACH_EINPUT and PLEACH_EGRAPH: text names file, tensor, found
// and expected shape; `model` is then empty.
pleach_status plc_model_file_read(pleach_ctx *ctx, const char *path, plc_model_file *model);
// Whether a user's word for a model means a file (it has a dot or a slash, or exists), not a network's name.
bool plc_model_is_file(const char *model);
bool plc_is_onnx_path(const char *path); // ends in .onnx
void plc_model_file_finish(plc_model_file *model);

#endif
