// What commands print, and the device that they open.
#include <cli/cli.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <device/device.h>

static pleach_status choose_tuning(plc_cli *cli, int *mode)
{
    static const char *const names[] = {"off", "fast", "full"}; // PLEACH_TUNE_
    const char *set = getenv("PLEACH_TUNE");
    const char *wanted = cli->tune ? cli->tune : set && *set ? set : "fast";

    for (int i = 0; i < 3; i++)
        if (strcmp(wanted, names[i]) == 0) {
            *mode = i;
            return PLEACH_OK;
        }
    return plc_cli_unknown(cli, cli->tune ? "value of --tune" : "value of PLEACH_TUNE", wanted,
                           names, 3);
}

pleach_status plc_cli_device_opts(plc_cli *cli, pleach_device_opts *opts)
{
    *opts = (pleach_device_opts){.lanes = cli->lanes,
                                 .mapping = cli->mapping,
                                 .precision = cli->precision,
                                 .binary = cli->binary,
                                 .manifest = cli->manifest,
                                 .allow_broken = cli->allow_broken,
                                 .progress = plc_progress_show_device,
                                 .user = &cli->progress};
    if (cli->manifest && !cli->binary)
        return plc_fail(cli->ctx, PLEACH_EUSAGE,
                        "--manifest says what --binary FILE holds, which is missing");
    return choose_tuning(cli, &opts->tune);
}

pleach_status plc_cli_open_device(plc_cli *cli, bool profile, pleach_device **device)
{
    pleach_status status = PLEACH_OK;
    const char *choice = cli->device ? cli->device : getenv("PLEACH_DEVICE");
    pleach_device_opts opts;

    TRY(plc_cli_device_opts(cli, &opts));
    opts.profile = profile;
    TRY(pleach_device_open(cli->ctx, choice, &opts, device));
    const pleach_device_info *info = pleach_device_get_info(*device);
    plc_progress_clear(&cli->progress);
    fprintf(stderr, "device %d:%d %s (%s, driver %s), %d lanes, %s%s%s\n", info->platform,
            info->index, info->name, info->platform_name, info->driver_version, (*device)->lanes,
            plc_device_layout_name(*device), cli->binary ? ", kernels of " : "",
            cli->binary ? cli->binary : "");
done:
    return status;
}

json_t *plc_cli_device_json(const pleach_device *device)
{
    const pleach_device_info *info = pleach_device_get_info(device);

    return json_pack("{s: s, s: s, s: s, s: i, s: s}", "name", info->name, "platform",
                     info->platform_name, "driver", info->driver_version, "lanes", device->lanes,
                     "mapping", plc_device_layout_name(device));
}

pleach_status plc_cli_copy_name(pleach_ctx *ctx, const char *name, char **copy)
{
    const pleach_status status = plc_strdup(ctx, name, copy);

    if (status == PLEACH_OK)
        plc_utf8_mend(*copy);
    return status;
}

pleach_status plc_cli_copy_printable(pleach_ctx *ctx, const char *text, char **copy)
{
    const pleach_status status = plc_cli_copy_name(ctx, text, copy);
    unsigned char *c = (unsigned char *)(status == PLEACH_OK ? *copy : "");

    for (; *c; c++) {
        const bool pair = c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0; // C1 controls in UTF-8
        if ((*c < 32 && *c != '\n' && *c != '\t') || *c == 127 || pair)
            *c = '?';
        if (pair)
            *++c = '?';
    }
    return status;
}

void plc_cli_complain(const char *heading, const char *text)
{
    char *copy = NULL;

    if (plc_cli_copy_printable(NULL, text, &copy) == PLEACH_OK)
        fprintf(stderr, "%s%s\n", heading, copy);
    free(copy);
}

json_t *plc_cli_json_name(const char *name)
{
    json_t *value = NULL;
    char *copy = NULL;

    if (plc_cli_copy_name(NULL, name ? name : "", &copy) == PLEACH_OK)
        value = json_string(copy);
    free(copy);
    return value;
}

void plc_cli_json_append(json_t **list, json_t *item)
{
    if (json_array_append_new(*list, item) == 0)
        return;
    json_decref(*list);
    *list = NULL;
}

pleach_status plc_cli_print(plc_cli *cli, const plc_text *text)
{
    if (fwrite(text->data ? text->data : "", 1, text->length, stdout) != text->length ||
        fflush(stdout) != 0)
        return plc_fail(cli->ctx, PLEACH_EIO, "standard output cannot be written: %s",
                        strerror(errno));
    return PLEACH_OK;
}

pleach_status plc_cli_print_json(plc_cli *cli, json_t *root)
{
    pleach_status status = PLEACH_OK;
    plc_text text = {0};
    char *dumped = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;

    if (!dumped)
        FAIL(cli->ctx, PLEACH_EFAILED,
             "JSON cannot be printed: no memory, or a name that is not UTF-8");
    TRY(plc_text_printf(cli->ctx, &text, "%s\n", dumped));
    TRY(plc_cli_print(cli, &text));
done:
    plc_text_finish(&text);
    free(dumped);
    json_decref(root);
    return status;
}
