// The self-test: known answers, so that a driver that computes wrongly is named, not trusted.
//
// Small networks run on the device through the operators, kernels and launches that sessions use, and
// are compared with the host's double precision. What has passed is remembered in a file per device,
// driver, lane mapping and version of the kernels (exec/self_test_file.h). Each part runs when it is
// first needed, so that no program is built that its session would not build itself.
#ifndef PLC_EXEC_SELF_TEST_H
#define PLC_EXEC_SELF_TEST_H

#include <exec/session.h>
#include <exec/self_test_file.h>

// Runs `part` unless it has passed before: in this process, or by the file. Fails with PLEACH_EDEVICE
// (what was computed, the first wrong value, what was expected, what to do); other failures are those
// of the calls. With device->allow_broken both become warnings, except PLEACH_ENOMEM. Blocks. Says
// nothing of half storage, for which there are no known answers: the device is tested when it runs floats.
pleach_status plc_self_test_require(pleach_device *device, plc_self_test_part part);

// Runs every part, known or not, and keeps the results. *result: what the file holds now, also without a
// file. Wrong results are no failure; other failures are those of the calls.
pleach_status plc_self_test_run(pleach_device *device, plc_self_test_result *result);

#endif
