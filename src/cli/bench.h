// Times of kernels, summed over the launches of a session by the kernel's name.
#ifndef PLC_CLI_BENCH_H
#define PLC_CLI_BENCH_H

#include <jansson.h>
#include <base/text.h>
#include <cli/cli.h>
#include <train/optimizer.h>

pleach_status plc_bench_tune(plc_cli *cli, int argc, char **argv); // bench_tune.c

typedef struct plc_profile_row {
    const char *kernel; // static
    long long n_runs;
    double seconds, flops, bytes; // of all runs
} plc_profile_row;

// Works when zero.
typedef struct plc_profile {
    plc_profile_row *items; // owned, longest first
    size_t n_items, capacity;
} plc_profile;

// Sets the times of all launches of the session and of its optimizer (NULL: none) to zero.
void plc_profile_reset(const pleach_session *session, const plc_optimizer *optimizer);
// Adds up what they took since then.
pleach_status plc_profile_collect(pleach_ctx *ctx, const pleach_session *session,
                                  const plc_optimizer *optimizer, plc_profile *profile);
void plc_profile_finish(plc_profile *profile);

pleach_status plc_profile_print(pleach_ctx *ctx, const plc_profile *profile, plc_text *text);
json_t *plc_profile_to_json(const plc_profile *profile);

#endif
