// Trials: the same inputs for all, answers before times, rounds in turn so that a disturbance hits all.
#include <kernel/trial.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/clock.h>
#include <base/half.h>
#include <base/memory.h>
#include <base/random.h>

enum {
    PATTERN_FLOATS = 65521, // a prime: repetitions do not fall on the same place of rows
    MAX_RUNS_PER_ROUND =
        32 // kernels may work in place: more would leave the range of normal numbers
};

// Larger problems would take a GPU's memory, the host's three times over, and seconds for each round.
static const size_t most_buffer_bytes = (size_t)1 << 30;
// Another candidate than 0 must save this share of its time: less is noise.
static const double least_gain = 0.03;
// Two halfs that were rounded from nearly the same value differ by one unit in the last place.
static const double half_tolerance = 0x1p-10;
static const unsigned long long pattern_seed = 20;

typedef struct candidate {
    plc_launch_list list;
    char *rejected; // owned
    double best_seconds;
    int n_runs; // per round
} candidate;

typedef struct trial {
    pleach_device *device; // borrowed
    const plc_tune_problem *problem;
    plc_buffer *buffers[PLC_TUNE_MAX_BUFFERS];
    candidate candidates[PLC_TUNING_MAX_CANDIDATES];
    float *pattern;      // a repeated run of PATTERN_FLOATS, long enough for any buffer
    float *wanted, *got; // results: of the reference, of the candidate at hand
    int reference;       // candidate, -1: none yet
    pleach_status first_failure;
    bool profiled;
} trial;

static size_t result_floats(const trial *t)
{
    return t->problem->buffer_floats[t->problem->result];
}

// Of the result, whatever they are.
typedef struct results {
    const void *values;
    size_t n;
    bool halfs;
} results;

static results results_of(const trial *t, const float *buffer)
{
    const bool halfs = t->problem->result_is_tensor && t->device->value_bytes < (int)sizeof *buffer;

    return (results){buffer, result_floats(t) * (halfs ? 2 : 1), halfs};
}

static double result_at(results r, size_t i)
{
    return (double)(r.halfs ? plc_half_to_float(((const uint16_t *)r.values)[i])
                            : ((const float *)r.values)[i]);
}

static pleach_status check_size(const trial *t)
{
    for (int i = 0; i < t->problem->n_buffers; i++)
        if (t->problem->buffer_floats[i] > most_buffer_bytes / sizeof(float))
            return plc_fail(t->device->ctx, PLEACH_ENOMEM,
                            "a buffer of %zu floats is too large to be measured with",
                            t->problem->buffer_floats[i]);
    return PLEACH_OK;
}

static pleach_status make_pattern(trial *t)
{
    pleach_status status = PLEACH_OK;
    size_t most = 0;

    for (int i = 0; i < t->problem->n_buffers; i++)
        if (t->problem->buffer_floats[i] > most)
            most = t->problem->buffer_floats[i];
    const size_t n = most + PLC_TUNE_MAX_BUFFERS; // buffers start at different places of it
    TRY(plc_alloc(t->device->ctx, n, sizeof *t->pattern, &t->pattern));
    const size_t drawn = n < PATTERN_FLOATS ? n : PATTERN_FLOATS;
    plc_random_fill_uniform(pattern_seed, PLC_STREAM_TEST, 0, -1.0f, 1.0f, t->pattern, drawn);
    // Neither tiny nor huge: products of many stay normal numbers, which run at full speed.
    for (size_t i = 0; i < drawn; i++)
        t->pattern[i] = plc_float_of_halfs(t->pattern[i] + copysignf(0.5f, t->pattern[i]));
    for (size_t i = drawn; i < n; i++)
        t->pattern[i] = t->pattern[i - PATTERN_FLOATS];
done:
    return status;
}

static pleach_status trial_init(trial *t, pleach_device *device, const plc_tune_problem *problem)
{
    pleach_status status = PLEACH_OK;

    *t =
        (trial){.device = device, .problem = problem, .reference = -1, .profiled = device->profile};
    device->profile = false; // a profiled launch is waited for
    for (int i = 0; i < problem->n_candidates; i++)
        plc_launch_list_init(&t->candidates[i].list, device);
    TRY(check_size(t));
    for (int i = 0; i < problem->n_buffers; i++)
        TRY(plc_buffer_create(device, "tuning", problem->buffer_floats[i] * sizeof(float),
                              &t->buffers[i]));
    TRY(make_pattern(t));
    TRY(plc_alloc(device->ctx, result_floats(t), sizeof *t->wanted, &t->wanted));
    TRY(plc_alloc(device->ctx, result_floats(t), sizeof *t->got, &t->got));
done:
    return status;
}

static void trial_finish(trial *t)
{
    plc_device_settle(t->device); // nothing may still use what goes
    for (int i = 0; i < t->problem->n_candidates; i++) {
        plc_launch_list_finish(&t->candidates[i].list);
        free(t->candidates[i].rejected);
    }
    for (int i = 0; i < t->problem->n_buffers; i++)
        plc_buffer_destroy(t->device, &t->buffers[i]);
    free(t->pattern);
    free(t->wanted);
    free(t->got);
    t->device->profile = t->profiled;
}

static pleach_status fill_buffers(trial *t)
{
    pleach_status status = PLEACH_OK;

    for (int i = 0; i < t->problem->n_buffers; i++)
        TRY(plc_buffer_write(t->device, t->buffers[i], 0,
                             t->problem->buffer_floats[i] * sizeof(float), t->pattern + i));
done:
    return status;
}

static pleach_status run_times(trial *t, candidate *c, int n, double *seconds)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_device_finish(t->device));
    const double started = plc_clock_seconds();
    for (int i = 0; i < n; i++)
        TRY(plc_launch_list_run(&c->list));
    TRY(plc_device_finish(t->device));
    *seconds = plc_clock_seconds() - started;
done:
    return status;
}

// Runs candidate `index` once; its result is in t->got.
static pleach_status try_once(trial *t, int index)
{
    pleach_status status = PLEACH_OK;
    candidate *c = &t->candidates[index];
    double seconds = 0.0;

    TRY(t->problem->append(&c->list, t->problem->user, index, t->buffers));
    TRY(plc_launch_list_freeze(&c->list));
    TRY(fill_buffers(t));
    TRY(run_times(t, c, 1, &seconds));
    TRY(plc_buffer_read(t->device, t->buffers[t->problem->result], 0,
                        result_floats(t) * sizeof(float), t->got));
done:
    return status;
}

// Writes the reason when t->got is not what the reference gave. Written so that a NaN fails.
static pleach_status compare(const trial *t, char **rejected)
{
    pleach_status status = PLEACH_OK;
    const results wanted_ones = results_of(t, t->wanted), got_ones = results_of(t, t->got);
    const size_t n = wanted_ones.n, bytes = result_floats(t) * sizeof *t->got / n;
    const double tolerance = t->problem->tolerance + (wanted_ones.halfs ? half_tolerance : 0);
    double squares = 0.0;
    char reason[PLC_TUNING_MAX_TEXT];

    for (size_t i = 0; i < n; i++)
        squares += pow(result_at(wanted_ones, i), 2);
    const double scale = sqrt(squares / (double)n);
    for (size_t i = 0; i < n; i++) {
        const double wanted = result_at(wanted_ones, i), got = result_at(got_ones, i);
        const double allowed = tolerance * fmax(fabs(wanted), scale);
        if (memcmp((const char *)t->wanted + i * bytes, (const char *)t->got + i * bytes, bytes) ==
                0 ||
            (t->problem->changes_bits && fabs(got - wanted) <= allowed))
            continue;
        snprintf(reason, sizeof reason, "wrong result: %.7g instead of %.7g at %zu of %zu", got,
                 wanted, i, n);
        TRY(plc_strdup(t->device->ctx, reason, rejected));
        break;
    }
done:
    return status;
}

static pleach_status check_candidate(trial *t, int index)
{
    pleach_status status = PLEACH_OK;
    candidate *c = &t->candidates[index];
    const pleach_status tried = try_once(t, index);

    if (tried != PLEACH_OK) {
        if (t->first_failure == PLEACH_OK)
            t->first_failure = tried;
        TRY(plc_strdup(t->device->ctx, pleach_error(t->device->ctx), &c->rejected));
        return status;
    }
    if (t->reference < 0) {
        float *swapped = t->wanted;
        t->wanted = t->got;
        t->got = swapped;
        t->reference = index;
        return status;
    }
    TRY(compare(t, &c->rejected));
done:
    return status;
}

static pleach_status time_candidates(trial *t, plc_trial_effort effort)
{
    pleach_status status = PLEACH_OK;

    for (int round = 0; round < effort.n_rounds; round++)
        for (int i = 0; i < t->problem->n_candidates; i++) {
            candidate *c = &t->candidates[i];
            double seconds = 0.0;
            if (c->rejected)
                continue;
            TRY(fill_buffers(t));
            if (c->n_runs == 0) {
                TRY(run_times(t, c, 1, &seconds));
                const double runs = effort.round_seconds / fmax(seconds, 1e-7);
                c->n_runs = runs < 1                    ? 1
                            : runs > MAX_RUNS_PER_ROUND ? MAX_RUNS_PER_ROUND
                                                        : (int)runs;
                c->best_seconds = seconds;
            }
            TRY(run_times(t, c, c->n_runs, &seconds));
            c->best_seconds = fmin(c->best_seconds, seconds / c->n_runs);
        }
done:
    return status;
}

static pleach_status write_entry(const trial *t, plc_tuning_entry *entry)
{
    pleach_status status = PLEACH_OK;
    pleach_ctx *ctx = t->device->ctx;
    const plc_tune_problem *problem = t->problem;
    char mapping[PLC_FORMAT_MAX];

    plc_tuning_mapping(t->device, mapping);
    TRY(plc_strdup(ctx, problem->operation, &entry->operation));
    TRY(plc_strdup(ctx, problem->shape, &entry->shape));
    TRY(plc_strdup(ctx, mapping, &entry->mapping));
    for (int i = 0; i < problem->n_candidates; i++)
        TRY(plc_tuning_entry_add(ctx, entry, problem->names[i], 1e3 * t->candidates[i].best_seconds,
                                 t->candidates[i].rejected));
    entry->chosen = t->reference;
    double limit = (1.0 - least_gain) * t->candidates[t->reference].best_seconds;
    for (int i = 0; i < problem->n_candidates; i++)
        if (!t->candidates[i].rejected && t->candidates[i].best_seconds < limit) {
            entry->chosen = i;
            limit = t->candidates[i].best_seconds;
        }
done:
    return status;
}

pleach_status plc_trial_run(pleach_device *device, const plc_tune_problem *problem,
                            plc_trial_effort effort, plc_tuning_entry *entry)
{
    pleach_status status = PLEACH_OK;
    trial t = {0};

    *entry = (plc_tuning_entry){0};
    TRY(trial_init(&t, device, problem));
    for (int i = 0; i < problem->n_candidates; i++)
        TRY(check_candidate(&t, i));
    if (t.reference < 0)
        FAIL(device->ctx, t.first_failure, "%s, %s: no candidate works: %s", problem->operation,
             problem->shape, t.candidates[0].rejected);
    TRY(time_candidates(&t, effort));
    TRY(write_entry(&t, entry));
done:
    trial_finish(&t);
    return status;
}
