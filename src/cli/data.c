// `pleach data`: check a data set, or pack a folder of pictures into one file.
#include <cli/cli.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <base/file.h>
#include <base/memory.h>
#include <cli/signals.h>
#include <data/check.h>
#include <data/pack.h>
#include <report/table.h>

enum { KEY_OUT = 1, KEY_SIZE };

typedef struct data_args {
    const char *action, *source;
    const char *out;
    int size; // 0: as the source says
} data_args;

static pleach_status take_option(plc_cli *cli, void *user, int key, const char *value)
{
    data_args *args = user;

    if (key == KEY_SIZE)
        return plc_cli_int(cli, "size", value, 4, PLC_MAX_IMAGE_SIDE, &args->size);
    args->out = value;
    return PLEACH_OK;
}

static pleach_status take_argument(plc_cli *cli, void *user, const char *word)
{
    static const char *const actions[] = {"check", "pack"};
    data_args *args = user;

    if (!args->action) {
        if (strcmp(word, "check") != 0 && strcmp(word, "pack") != 0)
            return plc_cli_unknown(cli, "action of `pleach data`", word, actions, 2);
        args->action = word;
    } else if (!args->source) {
        args->source = word;
    } else {
        return plc_fail(cli->ctx, PLEACH_EUSAGE, "one data set is expected, found '%s' and '%s'",
                        args->source, word);
    }
    return PLEACH_OK;
}

static json_t *json_of_range(const plc_side_range *range)
{
    return json_pack("[i, i, i]", range->least, range->median, range->most);
}

static pleach_status print_json(plc_cli *cli, const data_args *args, const plc_data_check *check)
{
    json_t *classes = json_array(), *bad = json_array();

    for (size_t i = 0; i < check->n_classes; i++)
        plc_cli_json_append(&classes,
                            json_pack("{s: o, s: i, s: i}", "name",
                                      plc_cli_json_name(check->classes[i].name), "train",
                                      check->classes[i].train, "val", check->classes[i].val));
    for (size_t i = 0; i < check->n_bad; i++)
        plc_cli_json_append(&bad,
                            json_pack("{s: o, s: o}", "file", plc_cli_json_name(check->bad[i].path),
                                      "why", plc_cli_json_name(check->bad[i].why)));
    return plc_cli_print_json(
        cli, json_pack("{s: s, s: o, s: I, s: I, s: o, s: o, s: o, s: o}", "schema",
                       "pleach.data-check/1", "data", plc_cli_json_name(args->source), "images",
                       (json_int_t)check->n_images, "ignored", (json_int_t)check->n_ignored,
                       "width", json_of_range(&check->width), "height",
                       json_of_range(&check->height), "classes", classes, "bad", bad));
}

static pleach_status add_classes(plc_cli *cli, const plc_data_check *check, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    plc_table table = {0};

    plc_table_column(&table, 'l', "class");
    plc_table_column(&table, 'r', "training");
    plc_table_column(&table, 'r', "validation");
    for (size_t i = 0; i < check->n_classes; i++) {
        if (check->classes[i].name)
            TRY(plc_table_cell(cli->ctx, &table, "%s", check->classes[i].name));
        else
            TRY(plc_table_cell(cli->ctx, &table, "%zu", i));
        TRY(plc_table_cell(cli->ctx, &table, "%d", check->classes[i].train));
        TRY(plc_table_cell(cli->ctx, &table, "%d", check->classes[i].val));
    }
    TRY(plc_table_print(cli->ctx, &table, text));
done:
    plc_table_finish(&table);
    return status;
}

static pleach_status print_text(plc_cli *cli, const plc_data_check *check)
{
    pleach_status status = PLEACH_OK;
    plc_text text = {0};
    char *line = NULL;

    if (check->n_classes)
        TRY(add_classes(cli, check, &text));
    TRY(plc_text_printf(cli->ctx, &text,
                        "%zu images of %zu classes; widths %d to %d (median %d), heights %d to %d "
                        "(median %d); %zu other files left alone\n",
                        check->n_images, check->n_classes, check->width.least, check->width.most,
                        check->width.median, check->height.least, check->height.most,
                        check->height.median, check->n_ignored));
    for (size_t i = 0; i < check->n_bad; i++) {
        const plc_folder_problem *bad = &check->bad[i];

        free(line);
        TRY(plc_cli_copy_printable(cli->ctx, bad->path, &line));
        TRY(plc_text_printf(cli->ctx, &text, "bad: %s%s", line, *line ? ": " : ""));
        free(line);
        TRY(plc_cli_copy_printable(cli->ctx, bad->why, &line));
        TRY(plc_text_printf(cli->ctx, &text, "%s\n", line));
    }
    TRY(plc_text_printf(cli->ctx, &text, "%zu bad\n", check->n_bad));
    TRY(plc_cli_print(cli, &text));
done:
    free(line);
    plc_text_finish(&text);
    return status;
}

static pleach_status run_check(plc_cli *cli, const data_args *args)
{
    pleach_status status = PLEACH_OK;
    plc_data_check check = {0};

    if (args->out || args->size)
        FAIL(cli->ctx, PLEACH_EUSAGE, "--%s is of `pleach data pack`; a check writes nothing",
             args->out ? "out" : "size");
    TRY(plc_data_check_run(cli->ctx, args->source, &check));
    if (cli->json)
        TRY(print_json(cli, args, &check));
    else
        TRY(print_text(cli, &check));
    if (check.n_bad)
        FAIL(cli->ctx, PLEACH_EINPUT, "'%s': %zu files are bad", args->source, check.n_bad);
done:
    plc_data_check_finish(&check);
    return status;
}

static pleach_status print_packed(plc_cli *cli, const data_args *args,
                                  const pleach_dataset *dataset)
{
    pleach_status status = PLEACH_OK;
    const int side = dataset->train_pictures->side;
    plc_text text = {0};
    char bytes[PLC_FORMAT_MAX];
    struct stat info = {0};

    if (stat(args->out, &info) != 0)
        FAIL(cli->ctx, PLEACH_EIO, "%s: cannot be found again", args->out);
    if (cli->json)
        return plc_cli_print_json(
            cli, json_pack("{s: s, s: o, s: i, s: i, s: i, s: [i, i, i], s: I}", "schema",
                           "pleach.data-pack/1", "out", plc_cli_json_name(args->out), "train",
                           dataset->train.n_images, "val", dataset->test.n_images, "classes",
                           dataset->n_classes, "image", dataset->channels, side, side, "bytes",
                           (json_int_t)info.st_size));
    plc_format_bytes((unsigned long long)info.st_size, bytes, sizeof bytes);
    TRY(plc_text_printf(cli->ctx, &text,
                        "%s: %d images to train with, %d to validate with, of %d classes, each "
                        "%d x %d x %d; %s\n",
                        args->out, dataset->train.n_images, dataset->test.n_images,
                        dataset->n_classes, dataset->channels, side, side, bytes));
    TRY(plc_cli_print(cli, &text));
done:
    plc_text_finish(&text);
    return status;
}

// What a pack is written to, for a handler that may be called until the program ends.
static char *unfinished;

// The signal comes again when the handler returns, and ends the program.
static void remove_unfinished(int number)
{
    unlink(unfinished);
    raise(number);
}

static pleach_status run_pack(plc_cli *cli, const data_args *args)
{
    pleach_status status = PLEACH_OK;
    pleach_dataset *dataset = NULL;
    plc_text source = {0};

    if (!args->out)
        FAIL(cli->ctx, PLEACH_EUSAGE, "no file to write is given: --out FILE");
    if (strncmp(args->source, "folder:", strlen("folder:")) != 0)
        FAIL(cli->ctx, PLEACH_EUSAGE, "'%s' is no folder of pictures; pack folder:DIR",
             args->source);
    TRY(plc_text_printf(cli->ctx, &source, "%s", args->source));
    if (args->size)
        TRY(plc_text_printf(cli->ctx, &source, ",size=%d,store=%d", args->size, args->size));
    TRY(pleach_dataset_open(cli->ctx, source.data, NULL, &dataset));
    TRY(plc_file_temp_path(cli->ctx, args->out, &unfinished));
    plc_cli_watch_signals(cli, remove_unfinished, (int)SA_RESETHAND);
    TRY(plc_pack_write(cli->ctx, dataset, args->out));
    TRY(print_packed(cli, args, dataset));
done:
    plc_text_finish(&source);
    pleach_dataset_destroy(&dataset);
    return status;
}

pleach_status plc_cli_data(plc_cli *cli, int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    static const struct argp_option options[] = {
        {"out", KEY_OUT, "FILE", 0, "pack: the file to write", 1},
        {"size", KEY_SIZE, "N", 0,
         "pack: side of the stored images (default: the data set's store=N)", 1},
        {0},
    };
    data_args args = {0};
    plc_text doc = {0};
    plc_cli_args accepted = {.options = options,
                             .args_doc = "check SET\npack folder:DIR",
                             .option = take_option,
                             .argument = take_argument,
                             .user = &args};

    TRY(plc_text_printf(cli->ctx, &doc,
                        "`check` reads all of a data set and lists what is bad, with exit code 3. "
                        "`pack` decodes a folder of pictures once into one file, which training "
                        "then maps: --data pack:FILE. Neither needs a device.\n\n%s",
                        plc_data_spec_help));
    accepted.doc = doc.data;
    TRY(plc_cli_parse(cli, &accepted, argc, argv));
    if (!args.action || !args.source)
        FAIL(cli->ctx, PLEACH_EUSAGE,
             "expected `pleach data check SET` or `pleach data pack folder:DIR --out FILE`");
    if (strcmp(args.action, "check") == 0)
        TRY(run_check(cli, &args));
    else
        TRY(run_pack(cli, &args));
done:
    plc_text_finish(&doc);
    return status;
}
