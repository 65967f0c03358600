// A model as an ONNX file, out and in. docs/onnx.md says what of ONNX there is and what is not.
//
// Values are NCHW with any number of images; the input is what the network sees: normalised floats.
// What normalises them travels as metadata ("mean", "std": a number per channel, of x / 255).
#ifndef PLC_IO_ONNX_H
#define PLC_IO_ONNX_H

#include <io/model_file.h>

// The opset that is written unless another is asked for: read by whatever has come out since 2020. Of what we write
// only means with dilated windows came later.
enum {
    PLC_ONNX_OPSET = 13,
    PLC_ONNX_OLDEST_OPSET = 7, // that is written
    PLC_ONNX_OLDEST_KNOWN = 1, // operators that have changed since are told by their attributes
    PLC_ONNX_NEWEST_WRITTEN = 22,
    PLC_ONNX_NEWEST_KNOWN = 23
};

// Metadata of a model file that an ONNX file has too: "data", "mean", "std".
enum { PLC_ONNX_N_METADATA_KEYS = 3 };
extern const char *const plc_onnx_metadata_keys[PLC_ONNX_N_METADATA_KEYS];

// Works when zero.
typedef struct plc_onnx_write_opts {
    int opset;                // 0: PLC_ONNX_OPSET
    const char *version;      // of the program, for the file; NULL: none
    const plc_tensors *extra; // of a model file: its "data", "mean" and "std" go along; NULL: none
} plc_onnx_write_opts;

// Writes graph and weights[layout->n_floats] at inference: nodes under their names, parameters as
// "<node>.<parameter>", the number of images left open. Replaces `path` atomically. Fails with PLEACH_EUSAGE
// for an opset that we do not write, PLEACH_EGRAPH for an operator that has no ONNX form, PLEACH_EIO.
pleach_status plc_onnx_write(pleach_ctx *ctx, const char *path, const pleach_graph *graph,
                             const plc_params_layout *layout, const float *weights,
                             const plc_onnx_write_opts *opts);

// Reads `path` as graph, layout, weights and the metadata "data", "mean" and "std"; a softmax at its end is left
// out, since logits are what everything works on. Nothing in the file is trusted: sizes are capped and multiplied
// with overflow checks, and nothing recurses along it. Fails with PLEACH_EIO, PLEACH_EINPUT and PLEACH_EGRAPH: text
// names file, node and reason; `model` is then empty.
//
// Images are kept apart along the first dimension of the input. A graph that mixes it with others, or has none, is
// read as a whole: all dimensions of its input, which must be numbers, are those of one image.
pleach_status plc_onnx_read(pleach_ctx *ctx, const char *path, plc_model_file *model);
// In one of these two ways only.
pleach_status plc_onnx_read_as(pleach_ctx *ctx, const char *path, bool whole,
                               plc_model_file *model);

// An operator that is read, for people.
typedef struct plc_onnx_operator {
    const char *onnx;    // static: "Conv"
    const char *becomes; // our operator, or what is done with it
    const char *limits;  // what of it is refused; "" nothing
} plc_onnx_operator;

// Number `i` of those that are read, by name; NULL behind the last.
const plc_onnx_operator *plc_onnx_operator_at(int i);

#endif
