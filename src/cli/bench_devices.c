// `pleach bench compare` without files: which devices, one after another, and what became of them.
#include <cli/bench_devices.h>

#include <stdlib.h>
#include <string.h>
#include <base/file.h>
#include <base/memory.h>
#include <cli/bench_child.h>
#include <cli/model.h>
#include <cli/signals.h>
#include <device/list.h>

static volatile int stop;

// The children are in groups of their own, where no terminal's Ctrl-C reaches them: this process ends them.
static void ask_to_stop(int number)
{
    (void)number;
    stop = 1;
}

// Marks the devices that a list names, each once however often it is named.
static pleach_status choose_named(pleach_ctx *ctx, const plc_device_table *table, const char *names,
                                  bool *chosen)
{
    pleach_status status = PLEACH_OK;
    char *copy = NULL, *rest = NULL;
    int at = 0;

    TRY(plc_strdup(ctx, names, &copy));
    for (char *name = strtok_r(copy, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        TRY(plc_device_table_choose(ctx, table, name, &at));
        chosen[at] = true;
    }
done:
    free(copy);
    return status;
}

static pleach_status choose_devices(plc_cli *cli, const plc_bench_machine *machine,
                                    const plc_device_table *table, bool *chosen)
{
    pleach_status status = PLEACH_OK;
    const char *names = machine->devices ? machine->devices : cli->device;
    bool any = false;
    int at = 0;

    if (table->list.n_items == 0)
        TRY(plc_device_table_choose(cli->ctx, table, NULL, &at)); // fails and says what to install
    if (names)
        TRY(choose_named(cli->ctx, table, names, chosen));
    for (int i = 0; i < table->list.n_items; i++) {
        if (!names)
            chosen[i] = machine->emulators || !plc_device_is_emulator(&table->list.items[i]);
        any |= chosen[i];
    }
    if (!any && names)
        FAIL(cli->ctx, PLEACH_EUSAGE, "--devices '%s' names none; `pleach devices` lists them",
             names);
    if (!any)
        FAIL(cli->ctx, PLEACH_EDEVICE, "there are only emulators; --emulators measures them too");
done:
    return status;
}

static pleach_status add_outcome(pleach_ctx *ctx, const pleach_device_info *info,
                                 plc_bench_outcomes *outcomes)
{
    pleach_status status = PLEACH_OK;
    plc_bench_outcome *o = NULL;

    TRY(plc_grow(ctx, &outcomes->items, &outcomes->capacity, outcomes->n_items + 1));
    o = &outcomes->items[outcomes->n_items++];
    snprintf(o->id, sizeof o->id, "%d:%d", info->platform, info->index);
    TRY(plc_strdup(ctx, info->name, &o->name));
    TRY(plc_strdup(ctx, info->platform_name, &o->platform));
    TRY(plc_strdup(ctx, info->driver_version, &o->driver));
done:
    return status;
}

static pleach_status list_devices(plc_cli *cli, const plc_bench_machine *machine,
                                  plc_bench_outcomes *outcomes)
{
    pleach_status status = PLEACH_OK;
    plc_device_table *table = NULL;
    bool *chosen = NULL;

    TRY(plc_device_table_create(cli->ctx, &plc_cl_loader, &table));
    TRY(plc_alloc(cli->ctx, (size_t)table->list.n_items + 1, sizeof *chosen, &chosen));
    TRY(choose_devices(cli, machine, table, chosen));
    for (int i = 0; i < table->list.n_items; i++)
        if (chosen[i])
            TRY(add_outcome(cli->ctx, &table->list.items[i], outcomes));
done:
    free(chosen);
    plc_device_table_destroy(&table);
    return status;
}

// What every child would answer in the same way is found here, before the first of them.
static pleach_status check_options(plc_cli *cli, const plc_bench_machine *machine)
{
    pleach_status status = PLEACH_OK;
    const plc_bench_args *args = &machine->network;
    plc_model_file model = {0};
    pleach_device_opts opts;

    TRY(plc_cli_device_opts(cli, &opts));
    TRY(plc_cli_open_model(cli, args->model, args->input, args->n_classes, &model));
done:
    plc_model_file_finish(&model);
    return status;
}

pleach_status plc_bench_measure_devices(plc_cli *cli, const plc_bench_machine *machine,
                                        plc_bench_outcomes *outcomes)
{
    pleach_status status = PLEACH_OK;

    TRY(check_options(cli, machine));
    TRY(list_devices(cli, machine, outcomes));
    if (cli->binary && outcomes->n_items > 1)
        FAIL(cli->ctx, PLEACH_EUSAGE,
             "--binary %s holds kernels of one device, %zu are to be measured; choose one with "
             "--devices",
             cli->binary, outcomes->n_items);
    TRY(plc_make_dirs(cli->ctx, machine->out));
    plc_cli_watch_signals(cli, ask_to_stop, 0);
    for (size_t i = 0; i < outcomes->n_items; i++)
        TRY(plc_bench_run_children(cli, machine, &stop, &outcomes->items[i]));
done:
    return status;
}

void plc_bench_outcomes_finish(plc_bench_outcomes *outcomes)
{
    for (size_t i = 0; i < outcomes->n_items; i++) {
        plc_bench_outcome *o = &outcomes->items[i];

        free(o->name);
        free(o->platform);
        free(o->driver);
        free(o->path);
        free(o->failed);
    }
    free(outcomes->items);
    *outcomes = (plc_bench_outcomes){0};
}

pleach_status plc_bench_tabulate_outcomes(pleach_ctx *ctx, const plc_bench_outcomes *outcomes,
                                          plc_table *table)
{
    pleach_status status = PLEACH_OK;

    plc_table_column(table, 'l', "id");
    plc_table_column(table, 'l', "device");
    plc_table_column(table, 'l', "platform");
    plc_table_column(table, 'l', "driver");
    plc_table_column(table, 'l', "results");
    for (size_t i = 0; i < outcomes->n_items; i++) {
        const plc_bench_outcome *o = &outcomes->items[i];

        TRY(plc_table_cell(ctx, table, "%s", o->id));
        TRY(plc_table_cell(ctx, table, "%s", o->name));
        TRY(plc_table_cell(ctx, table, "%s", o->platform));
        TRY(plc_table_cell(ctx, table, "%s", o->driver));
        TRY(plc_table_cell(ctx, table, "%s%s%s", o->path ? o->path : "",
                           o->path && o->failed ? "; " : "", o->failed ? o->failed : ""));
    }
done:
    return status;
}

json_t *plc_bench_outcomes_to_json(const plc_bench_outcomes *outcomes)
{
    json_t *list = json_array();

    for (size_t i = 0; i < outcomes->n_items; i++) {
        const plc_bench_outcome *o = &outcomes->items[i];

        plc_cli_json_append(&list,
                            json_pack("{s: s, s: s, s: s, s: s, s: o, s: o}", "id", o->id, "name",
                                      o->name, "platform", o->platform, "driver", o->driver, "file",
                                      o->path ? plc_cli_json_name(o->path) : json_null(), "failed",
                                      o->failed ? plc_cli_json_name(o->failed) : json_null()));
    }
    return list;
}

pleach_status plc_bench_check_outcomes(pleach_ctx *ctx, const plc_bench_outcomes *outcomes)
{
    size_t n_failed = 0;

    for (size_t i = 0; i < outcomes->n_items; i++)
        n_failed += outcomes->items[i].failed != NULL;
    if (n_failed)
        return plc_fail(ctx, PLEACH_EDEVICE, "%zu of %zu devices failed; the list says why",
                        n_failed, outcomes->n_items);
    return PLEACH_OK;
}
