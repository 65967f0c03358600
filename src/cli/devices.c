// `pleach devices`: what there is, what each can do, whether it computes rightly, which would be used.
#include <cli/cli.h>

#include <stdlib.h>
#include <base/memory.h>
#include <device/list.h>
#include <exec/self_test.h>
#include <kernel/cache.h>
#include <report/table.h>

enum { KEY_TEST = 1, SAID_MAX = PLC_SELF_TEST_TEXT_MAX + 32 };

// The list with what is known of each row.
typedef struct listing {
    plc_device_table *devices; // owned
    int chosen;                // -1: none can be
    const char *choice;        // the user's words, NULL: none
    bool test;                 // --test
    char (*said)[SAID_MAX];    // owned: of each device's self-test
    int n_failed;              // of the tests that ran now
} listing;

static json_t *device_to_json(const pleach_device_info *info, bool chosen, const char *self_test)
{
    char id[32];

    snprintf(id, sizeof id, "%d:%d", info->platform, info->index);
    return json_pack(
        "{s: s, s: b, s: s, s: s, s: s, s: s, s: s, s: s, s: s, s: i, s: i, s: i, s: I, s: I, s: "
        "I, s: I, "
        "s: i, s: b, s: b, s: b, s: b, s: s}",
        "id", id, "chosen", chosen, "kind", info->kind, "name", info->name, "vendor", info->vendor,
        "platform", info->platform_name, "platform_version", info->platform_version, "driver",
        info->driver_version, "opencl", info->cl_version, "compute_units", info->compute_units,
        "clock_mhz", info->clock_mhz, "vector_width_float", info->vector_width_float,
        "global_memory_bytes", (json_int_t)info->global_memory_bytes, "max_allocation_bytes",
        (json_int_t)info->max_allocation_bytes, "local_memory_bytes",
        (json_int_t)info->local_memory_bytes, "max_work_group_size",
        (json_int_t)info->max_work_group_size, "base_alignment_bytes", info->base_alignment_bytes,
        "has_fp16", info->has_fp16, "has_fp64", info->has_fp64, "has_compiler", info->has_compiler,
        "unified_memory", info->unified_memory, "self_test", self_test);
}

static pleach_status print_json(plc_cli *cli, const listing *l)
{
    json_t *devices = json_array();

    for (int i = 0; i < l->devices->list.n_items; i++)
        plc_cli_json_append(&devices,
                            device_to_json(&l->devices->list.items[i], i == l->chosen, l->said[i]));
    return plc_cli_print_json(
        cli, json_pack("{s: s, s: o}", "schema", "pleach.devices/1", "devices", devices));
}

static pleach_status print_table(plc_cli *cli, const listing *l)
{
    pleach_status status = PLEACH_OK;
    plc_table table = {0};
    plc_text text = {0};
    char bytes[PLC_FORMAT_MAX], alloc[PLC_FORMAT_MAX];

    plc_table_column(&table, 'l', "");
    plc_table_column(&table, 'l', "id");
    plc_table_column(&table, 'l', "kind");
    plc_table_column(&table, 'l', "name");
    plc_table_column(&table, 'l', "platform");
    plc_table_column(&table, 'l', "driver");
    plc_table_column(&table, 'r', "units");
    plc_table_column(&table, 'r', "MHz");
    plc_table_column(&table, 'r', "memory");
    plc_table_column(&table, 'r', "largest buffer");
    plc_table_column(&table, 'r', "float vector");
    plc_table_column(&table, 'l', "self-test");
    for (int i = 0; i < l->devices->list.n_items; i++) {
        const pleach_device_info *info = &l->devices->list.items[i];

        plc_format_bytes(info->global_memory_bytes, bytes, sizeof bytes);
        plc_format_bytes(info->max_allocation_bytes, alloc, sizeof alloc);
        TRY(plc_table_cell(cli->ctx, &table, "%s", i == l->chosen ? "*" : ""));
        TRY(plc_table_cell(cli->ctx, &table, "%d:%d", info->platform, info->index));
        TRY(plc_table_cell(cli->ctx, &table, "%s", info->kind));
        TRY(plc_table_cell(cli->ctx, &table, "%s", info->name));
        TRY(plc_table_cell(cli->ctx, &table, "%s", info->platform_name));
        TRY(plc_table_cell(cli->ctx, &table, "%s", info->driver_version));
        TRY(plc_table_cell(cli->ctx, &table, "%d", info->compute_units));
        TRY(plc_table_cell(cli->ctx, &table, "%d", info->clock_mhz));
        TRY(plc_table_cell(cli->ctx, &table, "%s", bytes));
        TRY(plc_table_cell(cli->ctx, &table, "%s", alloc));
        TRY(plc_table_cell(cli->ctx, &table, "%d", info->vector_width_float));
        TRY(plc_table_cell(cli->ctx, &table, "%s", l->said[i]));
    }
    TRY(plc_table_print(cli->ctx, &table, &text));
    TRY(plc_text_printf(cli->ctx, &text,
                        "\n* would be used; --device or PLEACH_DEVICE choose another.\n"));
    TRY(plc_cli_print(cli, &text));
done:
    plc_table_finish(&table);
    plc_text_finish(&text);
    return status;
}

// What earlier runs have found on a device with the lanes that it would get.
static pleach_status read_result(plc_cli *cli, const pleach_device_opts *opts, const char *folder,
                                 const pleach_device_info *info, char said[SAID_MAX])
{
    pleach_status status = PLEACH_OK;
    plc_self_test_result result = {0};
    char *path = NULL;
    int lanes = 0;
    bool vector_lanes = false;

    if (folder &&
        plc_device_choose_lanes(cli->ctx, info, opts, &lanes, &vector_lanes) == PLEACH_OK) {
        TRY(plc_self_test_path(cli->ctx, folder, info, lanes, vector_lanes, NULL, &path));
        TRY(plc_self_test_read(cli->ctx, path, &result));
    }
    plc_self_test_describe(&result, said, SAID_MAX);
done:
    free(path);
    return status;
}

// Tests a device now. One that cannot even be opened has failed as well.
static void run_test(plc_cli *cli, const pleach_device_opts *opts, const pleach_device_info *info,
                     listing *l, char said[SAID_MAX])
{
    pleach_status status = PLEACH_OK;
    pleach_device *device = NULL;
    plc_self_test_result result = {0};
    char id[32];

    snprintf(id, sizeof id, "%d:%d", info->platform, info->index);
    TRY(pleach_device_open(cli->ctx, id, opts, &device));
    TRY(plc_self_test_run(device, &result));
    plc_self_test_describe(&result, said, SAID_MAX);
    for (int i = 0; i < PLC_SELF_TEST_N_PARTS; i++)
        if (result.failed[i][0]) {
            l->n_failed++;
            break;
        }
done:
    if (status != PLEACH_OK) {
        static const char heading[] = "failed: ";
        const char *error = pleach_error(cli->ctx);

        snprintf(said, SAID_MAX, "%s%.*s", heading,
                 plc_utf8_cut(error, SAID_MAX - (int)sizeof heading), error);
        l->n_failed++;
    }
    pleach_device_close(&device);
}

// Whether one that nobody named is tested.
static bool is_worth_a_test(const plc_device_table *devices, int row)
{
    return !plc_device_is_emulator(&devices->list.items[row]) &&
           !plc_device_has_obstacle(devices, row, NULL);
}

static pleach_status find_results(plc_cli *cli, listing *l)
{
    pleach_status status = PLEACH_OK;
    pleach_device_opts opts;
    char *folder = NULL;

    TRY(plc_cli_device_opts(cli, &opts));
    TRY(plc_cache_folder(cli->ctx, NULL, &folder));
    TRY(plc_alloc(cli->ctx, (size_t)l->devices->list.n_items + 1, sizeof *l->said, &l->said));
    for (int i = 0; i < l->devices->list.n_items; i++) {
        const pleach_device_info *info = &l->devices->list.items[i];
        const bool wanted = l->choice ? i == l->chosen : is_worth_a_test(l->devices, i);
        char why[PLC_OBSTACLE_MAX];
        if (l->test && wanted)
            run_test(cli, &opts, info, l, l->said[i]);
        else if (plc_device_has_obstacle(l->devices, i, why))
            snprintf(l->said[i], SAID_MAX, "cannot be used: it %s", why);
        else
            TRY(read_result(cli, &opts, folder, info, l->said[i]));
        plc_utf8_mend(l->said[i]); // compilers and files may say anything
    }
    plc_progress_clear(&cli->progress);
done:
    free(folder);
    return status;
}

static pleach_status take_option(plc_cli *cli, void *user, int key, const char *value)
{
    listing *l = user;

    (void)cli, (void)key, (void)value;
    l->test = true;
    return PLEACH_OK;
}

pleach_status plc_cli_devices(plc_cli *cli, int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    static const struct argp_option options[] = {
        {"test", KEY_TEST, NULL, 0,
         "run the self-test: on the device that --device names, else on all but emulators", 1},
        {0},
    };
    listing l = {.chosen = -1};
    const plc_cli_args args = {
        .options = options,
        .doc = "Lists OpenCL devices, says which one would be used and whether each has passed the "
               "self-test: known answers of matrix products, convolutions, sums, gathers and "
               "masks. A device is tested when it is first used.",
        .option = take_option,
        .user = &l};

    TRY(plc_cli_parse(cli, &args, argc, argv));
    l.choice = cli->device ? cli->device : getenv("PLEACH_DEVICE");
    TRY(plc_device_table_create(cli->ctx, &plc_cl_loader, &l.devices));
    // The list is printed also when nothing can be chosen: it says what there is instead.
    const pleach_status choice = plc_device_table_choose(cli->ctx, l.devices, l.choice, &l.chosen);
    if (choice != PLEACH_OK)
        l.chosen = -1;
    TRY(find_results(cli, &l));
    if (cli->json)
        TRY(print_json(cli, &l));
    else if (l.devices->list.n_items)
        TRY(print_table(cli, &l));
    if (choice != PLEACH_OK) // says again why
        TRY(plc_device_table_choose(cli->ctx, l.devices, l.choice, &l.chosen));
    if (l.n_failed)
        FAIL(cli->ctx, PLEACH_EDEVICE, "%d of the devices failed the self-test; see the list",
             l.n_failed);
done:
    free(l.said);
    plc_device_table_destroy(&l.devices);
    return status;
}
