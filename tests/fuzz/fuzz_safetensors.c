// Safetensors: a file of tensors, and what a model file asks of it beyond that.
#include "fuzz.h"

#include <io/model_file.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    plc_tensors tensors = {0};
    plc_model_file model = {0};

    plc_fuzz_put("input.safetensors", data, size);
    (void)plc_tensor_file_read(plc_fuzz_ctx(), plc_fuzz_path("input.safetensors"), &tensors);
    (void)plc_model_file_read(plc_fuzz_ctx(), plc_fuzz_path("input.safetensors"), &model);
    plc_tensors_finish(&tensors);
    plc_model_file_finish(&model);
    return 0;
}
