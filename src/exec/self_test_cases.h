// What the self-test computes on a device, and the comparison with what it should be.
#ifndef PLC_EXEC_SELF_TEST_CASES_H
#define PLC_EXEC_SELF_TEST_CASES_H

#include <device/device.h>
#include <exec/self_test_file.h>

// What a part has come to; begins as zero. `wrong` is "" when all values are as expected, else it names what was
// computed, the first value that differs, what it is and should be.
typedef struct plc_self_test_outcome {
    char wrong[PLC_SELF_TEST_TEXT_MAX];
    int n_run, n_left_out; // cases
} plc_self_test_outcome;

// Each runs on the device and waits. Failures are those of calls. Where kernels were built ahead, a case that
// needs one that is not among them is left out, and the log says so: no board should carry a kernel for its
// test alone.

// Networks in inference, in training also one step of it: logits, loss, gradients, running statistics.
pleach_status plc_self_test_networks(pleach_device *device, bool training,
                                     plc_self_test_outcome *outcome);

// A network in inference of a few images, on channel lanes; no case where the device has none.
pleach_status plc_self_test_few_images(pleach_device *device, plc_self_test_outcome *outcome);

// A gather of filters and channels, and masks from classes.
pleach_status plc_self_test_arenas(pleach_device *device, plc_self_test_outcome *outcome);

// Counts a case that has ended with `status`. PLEACH_OK also where that says that a kernel is not among those
// built ahead, else `status`.
pleach_status plc_self_test_count(pleach_device *device, const char *name, pleach_status status,
                                  plc_self_test_outcome *outcome);

// Says in `wrong` what of `name` is not as expected, unless something stands there already. A NaN is wrong.
void plc_self_test_compare(char *wrong, const char *name, const char *what, const float *got,
                           const double *expected, int n);

#endif
