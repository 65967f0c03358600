// MNIST's IDX files, plain or compressed. The first byte chooses which of the four files the rest becomes;
// the others are sound.
#include "fuzz.h"

#include <pleach/data.h>
#include <stdio.h>

enum { N = 2, SIDE = 2 };

static const char *const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                    "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
static const uint8_t images[] = {0, 0, 8, 3,    0, 0, 0, N, 0, 0, 0, SIDE,
                                 0, 0, 0, SIDE, 1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, N, 3, 9};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pleach_dataset *dataset = NULL;
    char source[64];

    if (size == 0)
        return 0;
    for (int i = 0; i < 4; i++)
        if (i == data[0] % 4)
            plc_fuzz_put(names[i], data + 1, size - 1);
        else
            plc_fuzz_put(names[i], i % 2 ? labels : images, i % 2 ? sizeof labels : sizeof images);
    snprintf(source, sizeof source, "mnist:%s", plc_fuzz_folder());
    (void)pleach_dataset_open(plc_fuzz_ctx(), source, NULL, &dataset);
    pleach_dataset_destroy(&dataset);
    return 0;
}
