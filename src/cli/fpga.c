// `pleach fpga`: kernels for boards that compile none: their source, and a build of it to try.
#include <cli/model.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <base/file.h>
#include <device/device.h>
#include <exec/session.h>
#include <kernel/binary.h>
#include <kernel/board_source.h>
#include <kernel/kernels.h>
#include <kernel/paper_cl.h>
#include <kernel/sources.h>
#include <run/programs.h>

enum { KEY_OUT = 1, KEY_BATCH, KEY_TILE, KEY_TRAINING, KEY_INPUT, KEY_CLASSES };
enum { MAX_TILE = 8, MAX_SOURCE_BYTES = 64 << 20 };

static const char source_name[] = "pleach.cl", manifest_name[] = "pleach.json",
                  binary_name[] = "pleach.bin";

typedef struct fpga_args {
    const char *action, *subject; // "export" and MODEL, "build" and DIR
    const char *out;
    int batch, input[3], n_classes;
    plc_fixed_tile tile;
    bool training;
    const char *given; // one of the options, all of which are of an export; NULL: none
} fpga_args;

static pleach_status take_tile(plc_cli *cli, const char *value, plc_fixed_tile *tile)
{
    int used = 0;

    if (sscanf(value, "%2dx%2d%n", &tile->n_out, &tile->n_pixels, &used) != 2 || value[used] ||
        tile->n_out < 1 || tile->n_out > MAX_TILE || tile->n_pixels < 1 ||
        tile->n_pixels > MAX_TILE)
        return plc_fail(cli->ctx, PLEACH_EUSAGE,
                        "--tile '%s': channels x pixels is expected, each 1 to %d, as in 8x2",
                        value, MAX_TILE);
    return PLEACH_OK;
}

static pleach_status take_option(plc_cli *cli, void *user, int key, const char *value)
{
    static const char *const names[] = {
        [KEY_OUT] = "out",           [KEY_BATCH] = "batch", [KEY_TILE] = "tile",
        [KEY_TRAINING] = "training", [KEY_INPUT] = "input", [KEY_CLASSES] = "classes"};
    fpga_args *args = user;

    args->given = names[key];
    switch (key) {
    case KEY_BATCH:
        return plc_cli_int(cli, "batch", value, 1, PLC_MAX_BATCH, &args->batch);
    case KEY_TILE:
        return take_tile(cli, value, &args->tile);
    case KEY_INPUT:
        return plc_cli_shape(cli, "input", value, args->input);
    case KEY_CLASSES:
        return plc_cli_int(cli, "classes", value, 2, 1000000, &args->n_classes);
    case KEY_TRAINING:
        args->training = true;
        return PLEACH_OK;
    default:
        args->out = value;
        return PLEACH_OK;
    }
}

static pleach_status take_argument(plc_cli *cli, void *user, const char *word)
{
    static const char *const actions[] = {"export", "build"};
    fpga_args *args = user;

    if (!args->action) {
        for (int i = 0; i < 2; i++)
            if (strcmp(word, actions[i]) == 0)
                args->action = actions[i];
        return args->action ? PLEACH_OK : plc_cli_unknown(cli, "action of fpga", word, actions, 2);
    }
    if (args->subject)
        return plc_fail(cli->ctx, PLEACH_EUSAGE, "unexpected argument '%s' behind '%s'", word,
                        args->subject);
    args->subject = word;
    return PLEACH_OK;
}

// A folder that does not exist, is empty, or holds an earlier export; what that held is removed first, so
// that no half of it stays.
static pleach_status prepare_folder(plc_cli *cli, const char *folder, const char *manifest_path,
                                    const char *binary_path)
{
    pleach_status status = PLEACH_OK;
    plc_manifest earlier = {0};
    DIR *dir = NULL;
    int n = 0;

    TRY(plc_make_dirs(cli->ctx, folder));
    dir = opendir(folder);
    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir))
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (n > 0 && plc_manifest_read(cli->ctx, manifest_path, &earlier) != PLEACH_OK)
        FAIL(cli->ctx, PLEACH_EUSAGE,
             "--out %s: holds %d files and no export of pleach; choose a new folder", folder, n);
    unlink(manifest_path);
    unlink(binary_path);
done:
    if (dir)
        closedir(dir);
    plc_manifest_finish(&earlier);
    return status;
}

// The manifest last: with it the export is whole.
static pleach_status write_files(plc_cli *cli, const char *folder, const plc_text *source,
                                 const plc_manifest *manifest)
{
    pleach_status status = PLEACH_OK;
    pleach_ctx *ctx = cli->ctx;
    char *source_path = NULL, *manifest_path = NULL, *binary_path = NULL, *script_path = NULL;

    TRY(plc_path_join(ctx, folder, source_name, &source_path));
    TRY(plc_path_join(ctx, folder, manifest_name, &manifest_path));
    TRY(plc_path_join(ctx, folder, binary_name, &binary_path));
    TRY(prepare_folder(cli, folder, manifest_path, binary_path));
    TRY(plc_file_write_all(ctx, source_path, source->data, source->length));
    for (const plc_source *script = plc_board_scripts; script->name; script++) {
        free(script_path);
        script_path = NULL;
        TRY(plc_path_join(ctx, folder, script->name, &script_path));
        TRY(plc_file_write_all(ctx, script_path, script->text, strlen(script->text)));
        chmod(script_path, 0755);
    }
    TRY(plc_manifest_write(ctx, manifest_path, manifest));
done:
    free(source_path);
    free(manifest_path);
    free(binary_path);
    free(script_path);
    return status;
}

static pleach_status tell(plc_cli *cli, const fpga_args *args, const plc_manifest *m)
{
    pleach_status status = PLEACH_OK;
    plc_text text = {0};
    int n_kernels = 0;

    for (int i = 0; i < m->n_programs; i++)
        n_kernels += m->programs[i].n_kernels;
    if (cli->json)
        return plc_cli_print_json(
            cli,
            json_pack("{s:s, s:o, s:s, s:b, s:i, s:i, s:i, s:i, s:i}", "schema", "pleach.export/1",
                      "folder", plc_cli_json_name(args->out), "model", m->model, "training",
                      m->training, "lanes", m->lanes, "tile_out", m->tile.n_out, "tile_pixels",
                      m->tile.n_pixels, "programs", m->n_programs, "kernels", n_kernels));
    TRY(plc_text_printf(cli->ctx, &text,
                        "%s: %d kernels of %d programs for %s of %s, %d lanes, tile %dx%d\n"
                        "Next: %s/build.sh shows how to build it for a board; `pleach fpga build "
                        "%s` does for the device at hand.\n",
                        args->out, n_kernels, m->n_programs, m->training ? "training" : "inference",
                        m->model, m->lanes, m->tile.n_out, m->tile.n_pixels, args->out, args->out));
    TRY(plc_cli_print(cli, &text));
done:
    plc_text_finish(&text);
    return status;
}

static pleach_status export(plc_cli *cli, const fpga_args *args)
{
    pleach_status status = PLEACH_OK;
    const pleach_device_opts opts = {
        .lanes = cli->lanes, .mapping = PLEACH_MAPPING_VECTOR, .cache_dir = ""};
    plc_model_file model = {0};
    plc_manifest manifest = {.training = args->training};
    pleach_device *device = NULL;
    plc_text source = {0};

    if (cli->mapping == PLEACH_MAPPING_WORK_ITEM || cli->precision == PLEACH_PRECISION_HALF)
        FAIL(cli->ctx, PLEACH_EUSAGE,
             "kernels for a board are of the vector mapping and of floats: leave out --mapping "
             "and --precision");
    TRY(plc_cli_open_model(cli, args->subject, args->input, args->n_classes, &model));
    TRY(plc_kernels_open(cli->ctx, &plc_paper_cl, "0:0", &opts, &device));
    device->fixed_tile = args->tile;
    TRY(plc_programs_visit(device, model.graph, args->batch, args->training));
    TRY(plc_text_printf(cli->ctx, &source, "%s", ""));
    TRY(plc_board_source(device, &source, &manifest));
    manifest.version = strdup(PLEACH_VERSION);
    manifest.model = strdup(model.graph->name);
    if (!manifest.version || !manifest.model)
        FAIL(cli->ctx, PLEACH_ENOMEM, "no memory for the names of an export");
    TRY(write_files(cli, args->out, &source, &manifest));
    TRY(tell(cli, args, &manifest));
done:
    pleach_device_close(&device);
    plc_manifest_finish(&manifest);
    plc_text_finish(&source);
    plc_model_file_finish(&model);
    return status;
}

static pleach_status build(plc_cli *cli, const fpga_args *args)
{
    pleach_status status = PLEACH_OK;
    char *source_path = NULL, *binary_path = NULL, *source = NULL;
    size_t length = 0;
    pleach_device *device = NULL;
    plc_text text = {0};

    TRY(plc_path_join(cli->ctx, args->subject, source_name, &source_path));
    TRY(plc_path_join(cli->ctx, args->subject, binary_name, &binary_path));
    TRY(plc_file_read(cli->ctx, source_path, MAX_SOURCE_BYTES, &source, &length));
    TRY(plc_cli_open_device(cli, false, &device));
    TRY(plc_binary_build(device, source, binary_path));
    if (cli->json) {
        TRY(plc_cli_print_json(cli, json_pack("{s: s, s: o}", "schema", "pleach.binary/1", "file",
                                              plc_cli_json_name(binary_path))));
    } else {
        TRY(plc_text_printf(cli->ctx, &text, "%s\n", binary_path));
        TRY(plc_cli_print(cli, &text));
    }
done:
    pleach_device_close(&device);
    plc_text_finish(&text);
    free(source);
    free(source_path);
    free(binary_path);
    return status;
}

pleach_status plc_cli_fpga(plc_cli *cli, int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    static const struct argp_option options[] = {
        {"out", KEY_OUT, "DIR", 0, "export: folder for pleach.cl, pleach.json and build.sh", 1},
        {"training", KEY_TRAINING, NULL, 0,
         "export: also what training, pruning and compaction need", 1},
        {"batch", KEY_BATCH, "N", 0,
         "export: images at once (default 128); fewer than the lanes need other kernels", 1},
        {"tile", KEY_TILE, "CxP", 0,
         "export: channels and pixels that a convolution computes at once (default 8x2)", 1},
        {"input", KEY_INPUT, "CxHxW", 0,
         "export: image size of a network by name (default 3x32x32)", 1},
        {"classes", KEY_CLASSES, "N", 0, "export: classes of a network by name (default 10)", 1},
        {0},
    };
    fpga_args args = {
        .batch = 128, .input = {3, 32, 32}, .n_classes = 10, .tile = {.n_out = 8, .n_pixels = 2}};
    const plc_cli_args accepted = {
        .options = options,
        .args_doc = "export MODEL --out DIR\nbuild DIR",
        .doc = "export: writes the OpenCL C that MODEL (a model file or a network's name) needs, "
               "for a board that compiles none at run time, with a manifest and a script that "
               "builds it. Needs no device. build: builds it with the compiler of the device at "
               "hand, to try it. Any command then takes the result with --binary. See "
               "docs/fpga.md.",
        .option = take_option,
        .argument = take_argument,
        .user = &args};

    TRY(plc_cli_parse(cli, &accepted, argc, argv));
    if (!args.action || !args.subject)
        FAIL(cli->ctx, PLEACH_EUSAGE,
             "`pleach fpga export MODEL --out DIR` or `pleach fpga build DIR`");
    const bool exports = strcmp(args.action, "export") == 0;
    if (exports && !args.out)
        FAIL(cli->ctx, PLEACH_EUSAGE, "--out DIR is missing: the folder for what is exported");
    if (!exports && args.given)
        FAIL(cli->ctx, PLEACH_EUSAGE,
             "--%s is of `pleach fpga export`; a build takes what was exported into '%s'",
             args.given, args.subject);
    TRY(exports ? export(cli, &args) : build(cli, &args));
done:
    return status;
}
