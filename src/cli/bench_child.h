// One device of `pleach bench compare`: tested and timed by children of this program, so that a driver
// that crashes or hangs takes none but its child with it.
#ifndef PLC_CLI_BENCH_CHILD_H
#define PLC_CLI_BENCH_CHILD_H

#include <cli/bench_devices.h>

// Runs the self-test, and when it has passed (or with --allow-broken) `bench train` and `bench infer`, on
// the device that outcome->id names. Fills the outcome's path and failed; that a child fails is no failure
// here. What a failed child wrote to standard error stays beside the results. Fails with
// PLEACH_EINTERRUPTED when *stop is set, and with PLEACH_EIO.
pleach_status plc_bench_run_children(plc_cli *cli, const plc_bench_machine *machine,
                                     const volatile int *stop, plc_bench_outcome *outcome);

#endif
