// Parsing of "DIR,size=64,val=0.1".
#include <data/spec.h>

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <base/parallel.h>
#include <base/text.h>
#include <data/data.h>

enum { DEFAULT_SIZE = 64, MIN_SIDE = 4, MAX_OPTION = 63, MAX_CACHE_MIB = 1 << 20 };

typedef enum option_key {
    KEY_SIZE,
    KEY_STORE,
    KEY_CHANNELS,
    KEY_VAL,
    KEY_SEED,
    KEY_CACHE,
    KEY_THREADS,
    KEY_AREA,
    KEY_JITTER,
    N_KEYS
} option_key;

static const struct option {
    const char *name;
    double low, high;
    bool whole;    // no fraction
    bool for_pack; // a pack has decided on the others
} options[N_KEYS] = {
    [KEY_SIZE] = {"size", MIN_SIDE, PLC_MAX_IMAGE_SIDE, true, true},
    [KEY_STORE] = {"store", MIN_SIDE, PLC_MAX_IMAGE_SIDE, true, false},
    [KEY_CHANNELS] = {"channels", 1, 3, true, false},
    [KEY_VAL] = {"val", 0.001, 0.9, false, false},
    [KEY_SEED] = {"seed", 0, 4294967295.0, true, false},
    [KEY_CACHE] = {"cache", 0, MAX_CACHE_MIB, true, false},
    [KEY_THREADS] = {"threads", 1, PLC_MAX_THREADS, true, true},
    [KEY_AREA] = {"area", 0.05, 1, false, true},
    [KEY_JITTER] = {"jitter", 0, 0.9, false, true},
};

const char plc_data_spec_help[] =
    "Pictures of your own: folder:DIR[,OPTION=VALUE...], where DIR holds "
    "train/CLASS/*.jpg|jpeg|png "
    "and val/CLASS/..., or CLASS/... of which a share is held out; or pack:FILE[,OPTION=VALUE...], "
    "written by `pleach data pack`. Options: size=N (side of the input, default 64; of a pack: its "
    "side), store=N (side at which pictures are kept, default 8/7 of size), channels=1|3 (default "
    "3), "
    "val=X (share held out, default 0.1), seed=N (of that choice), area=X (least share of a "
    "picture "
    "that training sees, default 0.35; 1: always its centre), jitter=X (of colours in training, "
    "default 0.2), cache=MIB (memory for decoded pictures, default 2048), threads=N (that decode, "
    "default: all processors). As in folder:flowers,size=64,val=0.2.";

int plc_data_store_of(int size)
{
    const int store = (size * 8 + 3) / 7;

    return store > PLC_MAX_IMAGE_SIDE ? PLC_MAX_IMAGE_SIDE : store;
}

static void set_option(plc_data_spec *spec, option_key key, double value)
{
    switch (key) {
    case KEY_SIZE:
        spec->size = (int)value;
        break;
    case KEY_STORE:
        spec->store = (int)value;
        break;
    case KEY_CHANNELS:
        spec->channels = (int)value;
        break;
    case KEY_VAL:
        spec->val = value;
        spec->val_given = true;
        break;
    case KEY_SEED:
        spec->seed = (uint64_t)value;
        break;
    case KEY_CACHE:
        spec->cache_mib = (int)value;
        break;
    case KEY_THREADS:
        spec->n_threads = (int)value;
        break;
    case KEY_AREA:
        spec->variety.least_area = value;
        break;
    default:
        spec->variety.jitter = value;
    }
}

static pleach_status unknown_option(pleach_ctx *ctx, const char *source, const char *name,
                                    bool pack)
{
    const char *names[N_KEYS];
    int n = 0;

    for (int i = 0; i < N_KEYS; i++)
        if (!pack || options[i].for_pack)
            names[n++] = options[i].name;
    const char *nearest = plc_nearest_name(name, names, n);
    return plc_fail(ctx, PLEACH_EUSAGE, "data set '%s': there is no option '%s'%s%s%s; see --help",
                    source, name, nearest ? "; did you mean '" : "", nearest ? nearest : "",
                    nearest ? "'?" : "");
}

static pleach_status refuse_value(pleach_ctx *ctx, const char *source, option_key key,
                                  const char *value)
{
    const struct option *o = &options[key];

    if (key == KEY_CHANNELS)
        return plc_fail(ctx, PLEACH_EUSAGE, "data set '%s': %s=%s: expected 1 (grey) or 3 (colour)",
                        source, o->name, value);
    return plc_fail(ctx, PLEACH_EUSAGE, "data set '%s': %s=%s: expected a %s from %.10g to %.10g",
                    source, o->name, value, o->whole ? "whole number" : "number", o->low, o->high);
}

// `text` is "name=value". Bit i of *seen is set once option i was taken.
static pleach_status take_option(pleach_ctx *ctx, const char *source, const char *text,
                                 unsigned *seen, plc_data_spec *spec)
{
    const bool pack = strcmp(source, "pack") == 0;
    const char *equals = strchr(text, '=');
    const size_t length = (size_t)(equals - text);
    char name[MAX_OPTION + 1] = "", *end = NULL;

    memcpy(name, text, length < MAX_OPTION ? length : MAX_OPTION);
    for (int i = 0; i < N_KEYS; i++) {
        const struct option *o = &options[i];

        if (strcmp(name, o->name) != 0 || (pack && !o->for_pack))
            continue;
        errno = 0;
        const double value = strtod(equals + 1, &end);
        if (end == equals + 1 || *end || errno || !(value >= o->low && value <= o->high) ||
            (o->whole && value != floor(value)) || (i == KEY_CHANNELS && value == 2))
            return refuse_value(ctx, source, (option_key)i, equals + 1);
        if (!(*seen & 1u << i))
            set_option(spec, (option_key)i, value);
        *seen |= 1u << i;
        return PLEACH_OK;
    }
    return unknown_option(ctx, source, name, pack);
}

// The comma before the last part of `text` when that part is "name=value", else NULL.
static char *last_option(char *text)
{
    char *comma = strrchr(text, ',');
    const char *c = comma ? comma + 1 : "";

    while (isalpha((unsigned char)*c))
        c++;
    return comma && c > comma + 1 && *c == '=' ? comma : NULL;
}

// A side that was not said follows from the other one. A pack says its stored side itself.
static pleach_status settle_sides(pleach_ctx *ctx, const char *source, plc_data_spec *spec)
{
    if (strcmp(source, "pack") == 0)
        return PLEACH_OK;
    if (!spec->size)
        spec->size = spec->store && spec->store < DEFAULT_SIZE ? spec->store : DEFAULT_SIZE;
    if (!spec->store)
        spec->store = plc_data_store_of(spec->size);
    if (spec->store < spec->size)
        return plc_fail(ctx, PLEACH_EUSAGE,
                        "data set '%s': store=%d is below size=%d: stored pictures are at least as "
                        "large as the input",
                        source, spec->store, spec->size);
    return PLEACH_OK;
}

pleach_status plc_data_spec_parse(pleach_ctx *ctx, const char *source, const char *text,
                                  plc_data_spec *spec)
{
    pleach_status status = PLEACH_OK;
    char *comma = NULL;
    unsigned seen = 0;

    *spec = (plc_data_spec){.channels = 3,
                            .val = 0.1,
                            .cache_mib = PLC_MAX_SPLIT_MIB,
                            .n_threads = plc_n_processors(),
                            .variety = {.least_area = 0.35, .jitter = 0.2}};
    TRY(plc_strdup(ctx, text, &spec->path));
    while ((comma = last_option(spec->path))) {
        TRY(take_option(ctx, source, comma + 1, &seen, spec));
        *comma = '\0';
    }
    if (!*spec->path)
        FAIL(ctx, PLEACH_EUSAGE, "data set '%s': no path follows the colon", source);
    TRY(settle_sides(ctx, source, spec));
done:
    return status;
}

void plc_data_spec_finish(plc_data_spec *spec)
{
    free(spec->path);
    *spec = (plc_data_spec){0};
}
