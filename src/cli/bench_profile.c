// The table of `pleach bench --profile`.
#include <cli/bench.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <report/table.h>

enum { N_LISTS = 7 };

static void launch_lists(const pleach_session *s, const plc_optimizer *optimizer,
                         const plc_launch_list *lists[N_LISTS])
{
    static const plc_launch_list none = {0};
    const plc_launch_list *all[N_LISTS] = {&s->input_train,
                                           &s->input_infer,
                                           &s->train,
                                           &s->prepare,
                                           &s->infer,
                                           &s->infer_loss,
                                           optimizer ? plc_optimizer_launches(optimizer) : &none};

    memcpy(lists, all, sizeof all);
}

void plc_profile_reset(const pleach_session *session, const plc_optimizer *optimizer)
{
    const plc_launch_list *lists[N_LISTS];

    launch_lists(session, optimizer, lists);
    for (int i = 0; i < N_LISTS; i++)
        for (int j = 0; j < lists[i]->n_items; j++) {
            lists[i]->items[j]->seconds = 0;
            lists[i]->items[j]->n_runs = 0;
        }
}

static pleach_status add_launch(pleach_ctx *ctx, plc_profile *profile, const plc_launch *launch)
{
    pleach_status status = PLEACH_OK;
    size_t row = 0;

    while (row < profile->n_items && strcmp(profile->items[row].kernel, launch->label) != 0)
        row++;
    if (row == profile->n_items) {
        TRY(plc_grow(ctx, &profile->items, &profile->capacity, row + 1));
        profile->items[row] = (plc_profile_row){.kernel = launch->label};
        profile->n_items++;
    }
    profile->items[row].n_runs += launch->n_runs;
    profile->items[row].seconds += launch->seconds;
    profile->items[row].flops += launch->flops * (double)launch->n_runs;
    profile->items[row].bytes += launch->bytes * (double)launch->n_runs;
done:
    return status;
}

static int longest_first(const void *a, const void *b)
{
    const plc_profile_row *x = a, *y = b;

    return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

pleach_status plc_profile_collect(pleach_ctx *ctx, const pleach_session *session,
                                  const plc_optimizer *optimizer, plc_profile *profile)
{
    pleach_status status = PLEACH_OK;
    const plc_launch_list *lists[N_LISTS];

    launch_lists(session, optimizer, lists);
    for (int i = 0; i < N_LISTS; i++)
        for (int j = 0; j < lists[i]->n_items; j++)
            if (lists[i]->items[j]->n_runs > 0)
                TRY(add_launch(ctx, profile, lists[i]->items[j]));
    if (profile->n_items)
        qsort(profile->items, profile->n_items, sizeof *profile->items, longest_first);
done:
    return status;
}

void plc_profile_finish(plc_profile *profile)
{
    free(profile->items);
    *profile = (plc_profile){0};
}

static double total_seconds(const plc_profile *profile)
{
    double total = 0;

    for (size_t i = 0; i < profile->n_items; i++)
        total += profile->items[i].seconds;
    return total > 0 ? total : 1;
}

pleach_status plc_profile_print(pleach_ctx *ctx, const plc_profile *profile, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    const double total = total_seconds(profile);
    plc_table table = {0};

    plc_table_column(&table, 'l', "kernel");
    plc_table_column(&table, 'r', "runs");
    plc_table_column(&table, 'r', "ms");
    plc_table_column(&table, 'r', "share");
    plc_table_column(&table, 'r', "GFLOPS");
    plc_table_column(&table, 'r', "GB/s");
    for (size_t i = 0; i < profile->n_items; i++) {
        const plc_profile_row *row = &profile->items[i];
        const double seconds = row->seconds > 0 ? row->seconds : 1;

        TRY(plc_table_cell(ctx, &table, "%s", row->kernel));
        TRY(plc_table_cell(ctx, &table, "%lld", row->n_runs));
        TRY(plc_table_cell(ctx, &table, "%.2f", row->seconds * 1e3));
        TRY(plc_table_cell(ctx, &table, "%.1f %%", 100.0 * row->seconds / total));
        TRY(plc_table_cell(ctx, &table, "%.1f", row->flops / seconds * 1e-9));
        TRY(plc_table_cell(ctx, &table, "%.1f", row->bytes / seconds * 1e-9));
    }
    TRY(plc_table_print(ctx, &table, text));
done:
    plc_table_finish(&table);
    return status;
}

json_t *plc_profile_to_json(const plc_profile *profile)
{
    const double total = total_seconds(profile);
    json_t *rows = json_array();

    for (size_t i = 0; i < profile->n_items; i++) {
        const plc_profile_row *row = &profile->items[i];
        const double seconds = row->seconds > 0 ? row->seconds : 1;

        json_array_append_new(rows, json_pack("{s: s, s: I, s: f, s: f, s: f, s: f}", "kernel",
                                              row->kernel, "runs", (json_int_t)row->n_runs, "ms",
                                              row->seconds * 1e3, "share", row->seconds / total,
                                              "gflops", row->flops / seconds * 1e-9, "gb_s",
                                              row->bytes / seconds * 1e-9));
    }
    return rows;
}
