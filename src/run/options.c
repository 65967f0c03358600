// Job options: defaults, JSON and ranges, all from the one table in pleach/run.h.
#include <run/options.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <base/text.h>
#include <fuse/candidates.h>
#include <io/model_file.h>
#include <prune/scores.h>

void pleach_run_opts_init(pleach_run_opts *opts)
{
    *opts = (pleach_run_opts){
#define X(kind, field, option, value, argument, commands, help) .field = value,
        PLEACH_RUN_OPTIONS(X)
#undef X
    };
}

#define TO_TEXT(value) json_string(value)
#define TO_INT(value) json_integer(value)
#define TO_FLOAT(value) json_real(value)
#define TO_FLAG(value) json_boolean(value)
#define TO_SEED(value) json_integer((json_int_t)(value))

pleach_status plc_options_to_json(pleach_ctx *ctx, const pleach_run_opts *opts, json_t **object)
{
    json_t *made = json_object();
    const char *failed = NULL;

#define X(kind, field, option, value, argument, commands, help)                                    \
    if (json_object_set_new(made, option, TO_##kind(opts->field)) != 0)                            \
        failed = option;
    PLEACH_RUN_OPTIONS(X)
#undef X
    if (failed) {
        json_decref(made);
        return plc_fail(ctx, PLEACH_EUSAGE, "--%s: its value cannot be kept: it is not UTF-8",
                        failed);
    }
    *object = made;
    return PLEACH_OK;
}

static bool is_described(const char *option)
{
    static const char *const apart[] = {"model", "data", "out", "epochs", "batch", "seed"};

    for (size_t i = 0; i < sizeof apart / sizeof *apart; i++)
        if (strcmp(option, apart[i]) == 0)
            return false;
    return true;
}

#define SAME_TEXT(a, b) (strcmp(a, b) == 0)
#define SAME_INT(a, b) ((a) == (b))
#define SAME_FLOAT(a, b) (!((a) < (b)) && !((a) > (b)))
#define SAME_FLAG(a, b) ((a) == (b))
#define SAME_SEED(a, b) ((a) == (b))
#define WRITE_TEXT(value) plc_text_printf(ctx, text, " %s", value)
#define WRITE_INT(value) plc_text_printf(ctx, text, " %d", value)
#define WRITE_FLOAT(value) plc_text_printf(ctx, text, " %g", value)
#define WRITE_FLAG(value) (value ? PLEACH_OK : plc_text_printf(ctx, text, " off"))
#define WRITE_SEED(value) plc_text_printf(ctx, text, " %llu", value)

pleach_status plc_options_describe(pleach_ctx *ctx, const pleach_run_opts *opts, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    pleach_run_opts usual;

    pleach_run_opts_init(&usual);
#define X(kind, field, option, value, argument, commands, help)                                    \
    if (is_described(option) && !SAME_##kind(opts->field, usual.field)) {                          \
        TRY(plc_text_printf(ctx, text, "%s--%s", text->length ? " " : "", option));                \
        TRY(WRITE_##kind(opts->field));                                                            \
    }
    PLEACH_RUN_OPTIONS(X)
#undef X
done:
    return status;
}

static bool read_TEXT(const json_t *json, const char **field)
{
    *field = json_string_value(json);
    return json_is_string(json);
}

static bool read_INT(const json_t *json, int *field)
{
    *field = (int)json_integer_value(json);
    return json_is_integer(json) && json_integer_value(json) == *field;
}

static bool read_FLOAT(const json_t *json, double *field)
{
    *field = json_number_value(json);
    return json_is_number(json);
}

static bool read_FLAG(const json_t *json, bool *field)
{
    *field = json_is_true(json);
    return json_is_boolean(json);
}

static bool read_SEED(const json_t *json, unsigned long long *field)
{
    *field = (unsigned long long)json_integer_value(json);
    return json_is_integer(json);
}

pleach_status plc_options_from_json(pleach_ctx *ctx, const json_t *object, pleach_run_opts *opts)
{
    const char *key;
    json_t *json;

    pleach_run_opts_init(opts);
    json_object_foreach((json_t *)object, key, json)
    {
        bool known = false, fits = false;
#define X(kind, field, option, value, argument, commands, help)                                    \
    if (strcmp(key, option) == 0) {                                                                \
        known = true;                                                                              \
        fits = read_##kind(json, &opts->field);                                                    \
    }
        PLEACH_RUN_OPTIONS(X)
#undef X
        if (!known && strcmp(key, PLC_CONFIG_COMMAND) != 0)
            return plc_fail(ctx, PLEACH_EINPUT,
                            "no option '%s'; was it written by another version?", key);
        if (known && !fits)
            return plc_fail(ctx, PLEACH_EINPUT, "option '%s' has a value of the wrong type", key);
    }
    return PLEACH_OK;
}

static pleach_status check_range(pleach_ctx *ctx, const char *option, double value, double low,
                                 double high)
{
    if (value >= low && value <= high)
        return PLEACH_OK;
    return plc_fail(ctx, PLEACH_EUSAGE, "--%s %g: it must be from %g to %g", option, value, low,
                    high);
}

static pleach_status check_word(pleach_ctx *ctx, const char *option, const char *value,
                                const char *const words[], int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(words[i], value) == 0)
            return PLEACH_OK;
    const char *nearest = plc_nearest_name(value, words, n);
    return plc_fail(ctx, PLEACH_EUSAGE, "--%s '%s': no such choice%s%s%s; `--help` lists them",
                    option, value, nearest ? "; did you mean '" : "", nearest ? nearest : "",
                    nearest ? "'?" : "");
}

// Whether one of the names before `name`, in the same list that strsep has taken apart, is the same.
static bool is_repeated(const char *names, const char *name)
{
    for (const char *at = names; at < name; at += strlen(at) + 1)
        if (strcmp(at, name) == 0)
            return true;
    return false;
}

// Every name of --controls.
static pleach_status check_controls(pleach_ctx *ctx, const char *controls)
{
    pleach_status status = PLEACH_OK;
    char *names = NULL;

    TRY(plc_strdup(ctx, controls, &names));
    for (char *at = *names ? names : NULL, *name = strsep(&at, ","); name; name = strsep(&at, ","))
        if (*name || at) { // a comma may end the list
            TRY(check_word(ctx, "controls", name, plc_run_control_names, PLC_RUN_N_CONTROL_NAMES));
            if (is_repeated(names, name))
                FAIL(ctx, PLEACH_EUSAGE, "--controls: '%s' is named twice", name);
        }
done:
    free(names);
    return status;
}

static bool fuses(const pleach_run_opts *opts)
{
    return opts->drop != 0 || opts->fuse > 0 || opts->plan[0] != '\0';
}

// The earlier the small network exists, the longer it learns and the cheaper its epochs are.
plc_phase_epochs plc_options_phases(const pleach_run_opts *o)
{
    const int n = o->epochs;
    const bool from_file = plc_model_is_file(o->model);

    return (plc_phase_epochs){
        .dense = o->dense_epochs ? o->dense_epochs
                 : from_file     ? 0
                 : n >= 12       ? n / 12
                                 : 1,
        .prune = o->prune_epochs ? o->prune_epochs
                 : n >= 6        ? n / 6
                                 : 1,
        .fade = o->fade_epochs ? o->fade_epochs
                : !fuses(o)    ? 0
                : n >= 12      ? n / 12
                : n >= 4       ? 1
                               : 0,
    };
}

static pleach_status check_phases(pleach_ctx *ctx, const pleach_run_opts *opts)
{
    pleach_status status = PLEACH_OK;

    TRY(check_range(ctx, "dense-epochs", opts->dense_epochs, 0, opts->epochs));
    TRY(check_range(ctx, "prune-epochs", opts->prune_epochs, 0, opts->epochs));
    TRY(check_range(ctx, "fade-epochs", opts->fade_epochs, 0, opts->epochs));
    const plc_phase_epochs phases = plc_options_phases(opts);
    if (phases.dense + phases.prune + phases.fade > opts->epochs)
        FAIL(ctx, PLEACH_EUSAGE,
             "%d dense, %d pruning and %d fading epochs are more than --epochs %d", phases.dense,
             phases.prune, phases.fade, opts->epochs);
done:
    return status;
}

static pleach_status check_target(pleach_ctx *ctx, const pleach_run_opts *opts)
{
    if (opts->macs <= 0 && opts->params <= 0 && opts->latency <= 0)
        return plc_fail(ctx, PLEACH_EUSAGE,
                        "no target: --macs 0.5 keeps half of the computations, --params 0.5 half "
                        "of the parameters, --latency 2 what takes 2 ms");
    return PLEACH_OK;
}

// What is done to blocks comes from one of --drop, --fuse and --plan.
static pleach_status check_fusion(pleach_ctx *ctx, const pleach_run_opts *opts)
{
    pleach_status status = PLEACH_OK;
    plc_fuse_cost cost;

    TRY(check_range(ctx, "fuse", opts->fuse, 0, 1));
    TRY(check_range(ctx, "drop", opts->drop, -1, 1e9));
    TRY(plc_fuse_cost_named(ctx, opts->fuse_cost, &cost));
    if ((opts->drop >= 0) + (opts->fuse > 0) + (opts->plan[0] != '\0') > 1)
        FAIL(ctx, PLEACH_EUSAGE,
             "--drop, --fuse and --plan: give one; each says which residual blocks go");
done:
    return status;
}

pleach_status plc_options_check(pleach_ctx *ctx, const pleach_run_opts *opts, bool compress)
{
    enum { MAX_EPOCHS = 100000, MAX_BATCH = 65536, MAX_CROP = 64 };
    pleach_status status = PLEACH_OK;
    plc_score score;
    plc_optimizer_kind optimizer;
    plc_schedule_kind schedule;

    if (opts->model[0] == '\0')
        FAIL(ctx, PLEACH_EUSAGE, "no network: --model resnet20, or a model file");
    if (opts->out[0] == '\0')
        FAIL(ctx, PLEACH_EUSAGE, "no run directory: --out DIR");
    if (opts->unfold && !plc_model_is_file(opts->model))
        FAIL(
            ctx, PLEACH_EUSAGE,
            "--unfold: '%s' is a network by name, which has its batch norms; it is for model files",
            opts->model);
    TRY(plc_optimizer_parse(ctx, opts->optimizer, &optimizer));
    TRY(plc_schedule_parse(ctx, opts->schedule, &schedule));
    TRY(check_range(ctx, "epochs", opts->epochs, 1, MAX_EPOCHS));
    TRY(check_range(ctx, "batch", opts->batch, 1, MAX_BATCH));
    TRY(check_range(ctx, "lr", opts->learning_rate, 0, 100));
    TRY(check_range(ctx, "momentum", opts->momentum, 0, 0.999));
    TRY(check_range(ctx, "weight-decay", opts->weight_decay, 0, 1));
    TRY(check_range(ctx, "warmup", opts->warmup, 0, 1));
    TRY(check_range(ctx, "label-smoothing", opts->label_smoothing, 0, 1));
    TRY(check_range(ctx, "crop", opts->crop, -1, MAX_CROP));
    TRY(check_range(ctx, "flip", opts->flip, -1, 1));
    TRY(check_range(ctx, "limit", opts->limit, 0, 1e9));
    TRY(check_range(ctx, "calibration", opts->calibration, 1, 1e9));
    if (!compress)
        goto done;
    TRY(check_target(ctx, opts));
    TRY(check_range(ctx, "macs", opts->macs, 0, 1));
    TRY(check_range(ctx, "params", opts->params, 0, 1));
    TRY(check_range(ctx, "latency", opts->latency, 0, 1e9));
    TRY(check_range(ctx, "latency-batch", opts->latency_batch, 1, MAX_BATCH));
    TRY(check_controls(ctx, opts->controls));
    TRY(plc_score_parse(ctx, opts->score, &score));
    TRY(check_word(ctx, "rank", opts->rank, (const char *const[]){"score", "macs", "latency"}, 3));
    TRY(check_word(ctx, "recover", opts->recover, (const char *const[]){"gradient", "soft", "none"},
                   3));
    TRY(check_range(ctx, "band", opts->band, 0, 1));
    TRY(check_range(ctx, "update-steps", opts->update_steps, 0, 1e9));
    TRY(check_range(ctx, "settle", opts->settle, 0, PLC_RUN_MAX_SETTLE));
    TRY(check_range(ctx, "min-channels", opts->min_channels, 1, 65536));
    TRY(check_range(ctx, "round-to", opts->round_to, 1, 65536));
    TRY(check_range(ctx, "max-ratio", opts->max_ratio, 0, 1));
    if (opts->max_ratio == 0)
        FAIL(ctx, PLEACH_EUSAGE,
             "--max-ratio 0 would prune nothing; it must be above 0 (--keep leaves groups alone)");
    TRY(check_fusion(ctx, opts));
    TRY(check_phases(ctx, opts));
    TRY(check_range(ctx, "distill", opts->distill, 0, 1));
    TRY(check_range(ctx, "temperature", opts->temperature, 0.1, 100));
done:
    return status;
}
