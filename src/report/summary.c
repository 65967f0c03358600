// Grouping of runs by what they have in common, means over seeds.
#include <report/summary.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <pleach/run.h>
#include <base/memory.h>

// Options and their defaults, as texts.
static const struct {
    const char *name, *value;
} usual[] = {
#define X(kind, field, option, value, argument, commands, help) {option, #value},
    PLEACH_RUN_OPTIONS(X)
#undef X
};
enum { N_OPTIONS = sizeof usual / sizeof *usual };

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool comparable(const plc_report *a, const plc_report *b)
{
    return same_text(a->command, b->command) && same_text(a->model, b->model) &&
           same_text(a->data, b->data) && a->epochs == b->epochs;
}

static bool same_setting(const plc_report *a, const plc_report *b)
{
    return comparable(a, b) && a->batch == b->batch && same_text(a->options, b->options) &&
           same_text(a->device.name, b->device.name) &&
           same_text(a->device.platform, b->device.platform);
}

bool plc_summary_suits(const plc_report_run *runs, size_t n_runs)
{
    for (size_t i = 0; i < n_runs; i++)
        for (size_t j = 0; j < i; j++)
            if (comparable(runs[i].report, runs[j].report))
                return true;
    return false;
}

double plc_student_half_width(double deviation, int n)
{
    // Quantiles 0.975 of Student's t for 1.. degrees of freedom.
    static const double quantiles[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365,
                                       2.306,  2.262, 2.228, 2.201, 2.179, 2.160, 2.145,
                                       2.131,  2.120, 2.110, 2.101, 2.093};
    const int n_quantiles = sizeof quantiles / sizeof *quantiles;
    const double of_many = 1.96;

    if (n < 2)
        return NAN;
    return (n - 1 <= n_quantiles ? quantiles[n - 2] : of_many) * deviation / sqrt(n);
}

// The value of an option in "--macs 0.2 --unfold --keep a,b", its length in *length; a flag that is there has "true".
// NULL: not there.
static const char *find_value(const char *options, const char *name, size_t *length)
{
    static const char set[] = "true";
    const size_t n = strlen(name);

    for (const char *at = options; at && (at = strstr(at, "--")); at += 2) {
        const char *end = at + 2 + n;

        if ((at > options && at[-1] != ' ') || strncmp(at + 2, name, n) != 0 || !strchr(" ", *end))
            continue;
        if (*end == '\0' || strncmp(end, " --", 3) == 0) {
            *length = strlen(set);
            return set;
        }
        *length = strcspn(end + 1, " ");
        return end + 1;
    }
    return NULL;
}

// That value, or the option's default.
static const char *value_of(const plc_report *report, int option, size_t *length)
{
    const char *value = find_value(report->options, usual[option].name, length);

    if (value)
        return value;
    value = usual[option].value;
    *length = strlen(value);
    if (value[0] == '"') {
        value++;
        *length -= 2;
    }
    return value;
}

static bool differs(const plc_report *const *of, int n_groups, int option)
{
    size_t first_length, length;
    const char *first = value_of(of[0], option, &first_length);

    for (int g = 1; g < n_groups; g++) {
        const char *value = value_of(of[g], option, &length);
        if (length != first_length || strncmp(value, first, length) != 0)
            return true;
    }
    return false;
}

static pleach_status label_group(pleach_ctx *ctx, const plc_report *const *of, int g,
                                 const plc_summary *s, plc_text *label)
{
    pleach_status status = PLEACH_OK;
    size_t length;

    for (int option = 0; option < N_OPTIONS; option++)
        if (differs(of, s->n_groups, option)) {
            const char *value = value_of(of[g], option, &length);
            TRY(plc_text_printf(ctx, label, "%s%s %.*s", label->length ? ", " : "",
                                usual[option].name, (int)length, value));
        }
    bool others[3] = {false, false, false}; // model, epochs, device
    for (int i = 0; i < s->n_groups; i++) {
        others[0] |= !same_text(of[i]->model, of[0]->model);
        others[1] |= of[i]->epochs != of[0]->epochs;
        others[2] |= !same_text(of[i]->device.name, of[0]->device.name) ||
                     !same_text(of[i]->device.platform, of[0]->device.platform);
    }
    if (others[0] && of[g]->model)
        TRY(plc_text_printf(ctx, label, "%s%s", label->length ? ", " : "", of[g]->model));
    if (others[1])
        TRY(plc_text_printf(ctx, label, "%s%d epochs", label->length ? ", " : "", of[g]->epochs));
    if (others[2] && of[g]->device.name)
        TRY(plc_text_printf(ctx, label, "%s%s", label->length ? ", " : "", of[g]->device.name));
done:
    return status;
}

// Where the groups differ in one option alone, its name and its values.
static pleach_status find_only_option(pleach_ctx *ctx, const plc_report *const *of, plc_summary *s)
{
    pleach_status status = PLEACH_OK;
    int only = -1, n = 0;

    for (int option = 0; option < N_OPTIONS; option++)
        if (differs(of, s->n_groups, option)) {
            only = option;
            n++;
        }
    for (int g = 0; g < s->n_groups; g++)
        s->values[g] = NAN;
    if (n != 1)
        return PLEACH_OK;
    TRY(plc_strdup(ctx, usual[only].name, &s->option));
    for (int g = 0; g < s->n_groups; g++) {
        size_t length;
        char *end = NULL;
        const char *value = value_of(of[g], only, &length);
        const double number = strtod(value, &end);
        if (end > value)
            s->values[g] = number;
    }
done:
    return status;
}

static plc_summary_row *find_row(plc_summary *s, int group, const char *network)
{
    for (size_t i = 0; i < s->n_rows; i++)
        if (s->rows[i].group == group && same_text(s->rows[i].network, network))
            return &s->rows[i];
    return NULL;
}

// Adds up; finish_means divides. A report that names a network again has no second seed of it.
static pleach_status add_network(pleach_ctx *ctx, plc_summary *s, int group,
                                 const plc_report *report, const plc_report_network *network,
                                 size_t most_seeds)
{
    pleach_status status = PLEACH_OK;
    plc_summary_row *row = find_row(s, group, network->name);

    if (row == NULL) {
        TRY(plc_grow(ctx, &s->rows, &s->capacity, s->n_rows + 1));
        row = &s->rows[s->n_rows++];
        *row = (plc_summary_row){.group = group, .network = network->name ? network->name : ""};
        TRY(plc_alloc(ctx, most_seeds, sizeof *row->accuracies, &row->accuracies));
        row->interval[0] = network->interval[0];
        row->interval[1] = network->interval[1];
        row->final = network->epochs >= report->epochs;
    } else if (row->last == report) {
        goto done;
    }
    row->last = report;
    row->accuracies[row->n_seeds++] = network->accuracy;
    row->accuracy += network->accuracy;
    row->macs += (double)network->macs;
    row->params += (double)network->params;
    row->conv_layers += network->conv_layers;
    row->latency_ms += network->latency_ms;
    row->train_seconds += network->train_seconds;
done:
    return status;
}

static void finish_means(plc_summary_row *row)
{
    double *const sums[] = {&row->accuracy,    &row->macs,       &row->params,
                            &row->conv_layers, &row->latency_ms, &row->train_seconds};
    double squares = 0;

    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++)
        *sums[i] /= row->n_seeds;
    if (row->n_seeds < 2)
        return;
    for (int i = 0; i < row->n_seeds; i++)
        squares += (row->accuracies[i] - row->accuracy) * (row->accuracies[i] - row->accuracy);
    const double half = plc_student_half_width(sqrt(squares / (row->n_seeds - 1)), row->n_seeds);
    row->interval[0] = fmax(row->accuracy - half, 0.0);
    row->interval[1] = fmin(row->accuracy + half, 1.0);
}

static void add_flips(plc_summary *s, int group, const plc_report *report, int n_seeds)
{
    for (size_t i = 0; i < report->n_mask_updates; i++) {
        const double share = 1.0 / ((double)report->n_mask_updates * n_seeds);
        s->flips[group] += report->mask_updates[i].flips * share;
        s->returns[group] += report->mask_updates[i].returns * share;
    }
}

static bool is_there_already(const plc_report_run *runs, const int *group_of, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (group_of[j] == group_of[i] && runs[j].report->seed == runs[i].report->seed)
            return true;
    return false;
}

// Numbers the settings in the order of their first runs: group_of [n_runs], `of` a report of each. A seed that a setting
// has already is no second one: -1.
static void find_groups(const plc_report_run *runs, size_t n_runs, int *group_of,
                        const plc_report **of, int *n_groups)
{
    *n_groups = 0;
    for (size_t i = 0; i < n_runs; i++) {
        int g = 0;
        while (g < *n_groups && !same_setting(of[g], runs[i].report))
            g++;
        if (g == *n_groups)
            of[(*n_groups)++] = runs[i].report;
        group_of[i] = g;
        if (is_there_already(runs, group_of, i))
            group_of[i] = -1;
    }
}

static pleach_status fill(pleach_ctx *ctx, const plc_report_run *runs, size_t n_runs,
                          const int *group_of, const plc_report *const *of, plc_summary *s)
{
    pleach_status status = PLEACH_OK;
    const size_t n = (size_t)s->n_groups;
    plc_text label = {0};

    TRY(plc_alloc(ctx, n, sizeof *s->labels, &s->labels));
    TRY(plc_alloc(ctx, n, sizeof *s->values, &s->values));
    TRY(plc_alloc(ctx, n, sizeof *s->flips, &s->flips));
    TRY(plc_alloc(ctx, n, sizeof *s->returns, &s->returns));
    TRY(find_only_option(ctx, of, s));
    for (int g = 0; g < s->n_groups; g++) {
        int n_seeds = 0;
        TRY(label_group(ctx, of, g, s, &label));
        TRY(plc_text_take(ctx, &label, &s->labels[g]));
        for (size_t i = 0; i < n_runs; i++)
            n_seeds += group_of[i] == g;
        for (size_t i = 0; i < n_runs; i++) {
            if (group_of[i] != g)
                continue;
            add_flips(s, g, runs[i].report, n_seeds);
            for (size_t j = 0; j < runs[i].report->n_networks; j++)
                TRY(add_network(ctx, s, g, runs[i].report, &runs[i].report->networks[j], n_runs));
        }
    }
    for (size_t i = 0; i < s->n_rows; i++)
        finish_means(&s->rows[i]);
done:
    plc_text_finish(&label);
    return status;
}

pleach_status plc_summary_create(pleach_ctx *ctx, const plc_report_run *runs, size_t n_runs,
                                 plc_summary *summary)
{
    pleach_status status = PLEACH_OK;
    int *group_of = NULL;
    const plc_report **of = NULL;

    *summary = (plc_summary){0};
    if (n_runs == 0)
        return PLEACH_OK;
    TRY(plc_alloc(ctx, n_runs, sizeof *group_of, &group_of));
    TRY(plc_alloc(ctx, n_runs, sizeof *of, &of));
    find_groups(runs, n_runs, group_of, of, &summary->n_groups);
    TRY(fill(ctx, runs, n_runs, group_of, of, summary));
done:
    free(group_of);
    free(of);
    if (status != PLEACH_OK)
        plc_summary_finish(summary);
    return status;
}

void plc_summary_finish(plc_summary *s)
{
    for (int g = 0; s->labels && g < s->n_groups; g++)
        free(s->labels[g]);
    for (size_t i = 0; i < s->n_rows; i++)
        free(s->rows[i].accuracies);
    free(s->labels);
    free(s->values);
    free(s->flips);
    free(s->returns);
    free(s->option);
    free(s->rows);
    *s = (plc_summary){0};
}
