// CIFAR-100's files. The first byte chooses which of the two the rest becomes.
#include "fuzz.h"

#include <pleach/data.h>
#include <stdio.h>

enum { RECORD_BYTES = 2 + 3072 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t sound[RECORD_BYTES] = {1, 2, 3};
    pleach_dataset *dataset = NULL;
    char source[64];

    if (size == 0)
        return 0;
    plc_fuzz_put("train.bin", data[0] % 2 ? sound : data + 1,
                 data[0] % 2 ? sizeof sound : size - 1);
    plc_fuzz_put("test.bin", data[0] % 2 ? data + 1 : sound, data[0] % 2 ? size - 1 : sizeof sound);
    snprintf(source, sizeof source, "cifar100:%s", plc_fuzz_folder());
    (void)pleach_dataset_open(plc_fuzz_ctx(), source, NULL, &dataset);
    pleach_dataset_destroy(&dataset);
    return 0;
}
