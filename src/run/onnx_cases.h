// Conformance with ONNX: the ONNX project's own cases (models with inputs and expected outputs) on a device.
#ifndef PLC_RUN_ONNX_CASES_H
#define PLC_RUN_ONNX_CASES_H

#include <pleach/device.h>
#include <io/model_file.h>

// Where Debian's libonnx-testdata puts them.
#define PLC_ONNX_CASES_FOLDER "/usr/share/libonnx-testdata/data"

enum { PLC_ONNX_CASE_TEXT = 400 };

typedef enum plc_onnx_verdict {
    PLC_ONNX_CASE_WRONG,
    PLC_ONNX_CASE_REFUSED, // not read: `why`
    PLC_ONNX_CASE_PASSED,
} plc_onnx_verdict;

// One output of a case as it was computed: x [n_images][n_in], expected [n_images][n_out].
typedef struct plc_onnx_case_run {
    const char *name; // "node/test_relu"
    int output;
    const plc_model_file *read;
    const float *x, *expected;
    size_t n_images, n_in, n_out;
} plc_onnx_case_run;

typedef struct plc_onnx_case {
    const char *name;
    const char *op; // the operator that it is about; "" of several
    plc_onnx_verdict verdict;
    double difference; // the largest from what is expected, relative to 1 + abs(expected)
    char why[PLC_ONNX_CASE_TEXT]; // of a refusal
} plc_onnx_case;

typedef struct plc_onnx_cases_opts {
    const char *folder; // NULL: PLC_ONNX_CASES_FOLDER
    // Called for each case; `check` (may be NULL) before it for each output that is right: a failure ends the run.
    void (*report)(void *user, const plc_onnx_case *found);
    pleach_status (*check)(void *user, const plc_onnx_case_run *run);
    void *user;
} plc_onnx_cases_opts;

// The first input is the images (or the whole tensor, where these cannot be kept apart), other inputs become
// parameters; of several outputs each is asked for in turn. Fails with PLEACH_EIO where there are no cases, and as
// sessions do.
pleach_status plc_onnx_cases_run(pleach_ctx *ctx, pleach_device *device,
                                 const plc_onnx_cases_opts *opts);

// The largest difference of n values, relative to 1 + abs(expected); NaN counts.
double plc_onnx_case_difference(const float *found, const float *expected, size_t n);

#endif
