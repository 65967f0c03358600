// ONNX: protobuf's messages, and what a graph in them asks for.
#include "fuzz.h"

#include <io/onnx.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    plc_model_file model = {0};

    plc_fuzz_put("input.onnx", data, size);
    (void)plc_onnx_read(plc_fuzz_ctx(), plc_fuzz_path("input.onnx"), &model);
    plc_model_file_finish(&model);
    return 0;
}
