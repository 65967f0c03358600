// `pleach devices`: what there is, what each can do, which one would be used.
#include <cli/cli.h>

#include <stdlib.h>
#include <device/list.h>
#include <report/table.h>

static json_t *device_to_json(const pleach_device_info *info, bool chosen)
{
    char id[32];

    snprintf(id, sizeof id, "%d:%d", info->platform, info->index);
    return json_pack(
        "{s: s, s: b, s: s, s: s, s: s, s: s, s: s, s: s, s: s, s: i, s: i, s: i, s: I, s: I, s: "
        "I, s: I, "
        "s: i, s: b, s: b, s: b, s: b}",
        "id", id, "chosen", chosen, "kind", info->kind, "name", info->name, "vendor", info->vendor,
        "platform", info->platform_name, "platform_version", info->platform_version, "driver",
        info->driver_version, "opencl", info->cl_version, "compute_units", info->compute_units,
        "clock_mhz", info->clock_mhz, "vector_width_float", info->vector_width_float,
        "global_memory_bytes", (json_int_t)info->global_memory_bytes, "max_allocation_bytes",
        (json_int_t)info->max_allocation_bytes, "local_memory_bytes",
        (json_int_t)info->local_memory_bytes, "max_work_group_size",
        (json_int_t)info->max_work_group_size, "base_alignment_bytes", info->base_alignment_bytes,
        "has_fp16", info->has_fp16, "has_fp64", info->has_fp64, "has_compiler", info->has_compiler,
        "unified_memory", info->unified_memory);
}

static pleach_status print_json(plc_cli *cli, const pleach_device_list *list, int chosen)
{
    json_t *devices = json_array();

    for (int i = 0; i < list->n_items; i++)
        json_array_append_new(devices, device_to_json(&list->items[i], i == chosen));
    return plc_cli_print_json(
        cli, json_pack("{s: s, s: o}", "schema", "pleach.devices/1", "devices", devices));
}

static pleach_status print_table(plc_cli *cli, const pleach_device_list *list, int chosen)
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
    for (int i = 0; i < list->n_items; i++) {
        const pleach_device_info *info = &list->items[i];

        plc_format_bytes(info->global_memory_bytes, bytes, sizeof bytes);
        plc_format_bytes(info->max_allocation_bytes, alloc, sizeof alloc);
        TRY(plc_table_cell(cli->ctx, &table, "%s", i == chosen ? "*" : ""));
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

pleach_status plc_cli_devices(plc_cli *cli, int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    const plc_cli_args args = {.doc = "Lists OpenCL devices and says which one would be used."};
    plc_device_table *devices = NULL;
    int chosen = -1;

    TRY(plc_cli_parse(cli, &args, argc, argv));
    TRY(plc_device_table_create(cli->ctx, &plc_cl_loader, &devices));
    // The list is printed also when nothing can be chosen: it says what there is instead.
    const pleach_status choice = plc_device_table_choose(
        cli->ctx, devices, cli->device ? cli->device : getenv("PLEACH_DEVICE"), &chosen);
    if (choice != PLEACH_OK)
        chosen = -1;
    if (cli->json)
        TRY(print_json(cli, &devices->list, chosen));
    else if (devices->list.n_items)
        TRY(print_table(cli, &devices->list, chosen));
    status = choice;
done:
    plc_device_table_destroy(&devices);
    return status;
}
