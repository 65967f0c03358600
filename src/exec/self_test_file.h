// What the self-test has found on a device: a small text file in the cache's folder.
#ifndef PLC_EXEC_SELF_TEST_FILE_H
#define PLC_EXEC_SELF_TEST_FILE_H

#include <device/device.h>

typedef enum plc_self_test_part {
    PLC_SELF_TEST_INFERENCE,  // matrix product, convolution, batch norm from running statistics
    PLC_SELF_TEST_TRAINING,   // these with batch statistics, their gradients, the loss
    PLC_SELF_TEST_FEW_IMAGES, // inference on channel lanes, where the device has them
    PLC_SELF_TEST_REWRITE,    // gathers of compaction, masks
    PLC_SELF_TEST_N_PARTS,
} plc_self_test_part;

enum { PLC_SELF_TEST_TEXT_MAX = 256 };

// Works when zero: nothing has run yet.
typedef struct plc_self_test_result {
    bool passed[PLC_SELF_TEST_N_PARTS];
    bool untested[PLC_SELF_TEST_N_PARTS]; // it needs kernels that were not built ahead; not kept
    char failed[PLC_SELF_TEST_N_PARTS][PLC_SELF_TEST_TEXT_MAX]; // "": it has not
} plc_self_test_result;

const char *plc_self_test_part_name(plc_self_test_part part);

// "passed", "not run yet", "failed: WHAT", or "passed: PART, PART; no kernels to test: PART", of which either half
// may be missing.
void plc_self_test_describe(const plc_self_test_result *result, char *text, size_t size);

// <folder>/self-test/<hash of platform, device, driver, lanes, mapping and all kernel sources>.txt. `built`: hash
// of the file of kernels built ahead, NULL where they are compiled.
pleach_status plc_self_test_path(pleach_ctx *ctx, const char *folder,
                                 const pleach_device_info *info, int lanes, bool vector_lanes,
                                 const char *built, char **path);

// No file, or one that is not as we write it: nothing has run yet. Fails only without memory.
pleach_status plc_self_test_read(pleach_ctx *ctx, const char *path, plc_self_test_result *result);

// Whole or not at all; makes the file's folder.
pleach_status plc_self_test_write(pleach_ctx *ctx, const char *path,
                                  const plc_self_test_result *result);

#endif
