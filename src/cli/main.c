// pleach, the program: finds the command, prints what went wrong, answers with an exit code.
#include <cli/cli.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <cli/signals.h>

const plc_command plc_commands[] = {
    {"devices", "list OpenCL devices and say which one would be used", plc_cli_devices},
    {"train", "train a network", plc_cli_train},
    {"compress", "train, prune, compact and fuse a network", plc_cli_compress},
    {"sweep", "compress with several values of options and compare", plc_cli_sweep},
    {"eval", "accuracy and speed of a model on a data set", plc_cli_eval},
    {"inspect", "layers, channels, computations and parameters of a network", plc_cli_inspect},
    {"export", "write a model for other programs, as ONNX", plc_cli_export},
    {"ops", "list the operators of ONNX files that are read", plc_cli_ops},
    {"bench", "measure the speed of training and inference", plc_cli_bench},
    {"report", "tables and a page from one or several runs", plc_cli_report},
    {"data", "check a data set, or pack a folder of pictures into one file", plc_cli_data},
    {"fpga", "write and build the kernels of a network ahead, for boards that compile none",
     plc_cli_fpga},
    {NULL, NULL, NULL},
};

int plc_commands_count(void)
{
    return sizeof plc_commands / sizeof *plc_commands - 1;
}

static void log_to_stderr(void *user, pleach_log_level level, const char *text)
{
    plc_cli *cli = user;

    if (level == PLEACH_LOG_DEBUG)
        return;
    plc_progress_clear(&cli->progress);
    plc_cli_complain(level == PLEACH_LOG_WARNING ? "pleach: warning: " : "pleach: ", text);
}

static void print_help(void)
{
    printf("Usage: pleach [GLOBAL OPTION...] COMMAND [OPTION...]\n"
           "Trains convolutional networks on any OpenCL device and makes them smaller and "
           "faster.\n\n");
    for (const plc_command *command = plc_commands; command->name; command++)
        printf("  %-10s %s\n", command->name, command->summary);
    printf("\n`pleach COMMAND --help` lists a command's options and the global ones; `pleach "
           "--version`\n"
           "says which pleach it is.\n"
           "Exit codes: 0 done, 1 failed, 2 usage, 3 bad input, 4 device, 5 diverged, 130 "
           "interrupted.\n");
}

static pleach_status find_command(plc_cli *cli, const char *name, const plc_command **found)
{
    const char *names[16];

    for (int i = 0; i < plc_commands_count(); i++) {
        names[i] = plc_commands[i].name;
        if (strcmp(name, names[i]) == 0) {
            *found = &plc_commands[i];
            return PLEACH_OK;
        }
    }
    return plc_cli_unknown(cli, "command", name, names, plc_commands_count());
}

// Hands the command its words; global options in front of its name go first.
static pleach_status run_command(plc_cli *cli, const plc_command *command, int argc, char **argv,
                                 int at)
{
    pleach_status status = PLEACH_OK;
    char **words = NULL, title[64];
    int n = 0;

    snprintf(title, sizeof title, "pleach %s", command->name);
    TRY(plc_alloc(cli->ctx, (size_t)argc + 1, sizeof *words, &words));
    words[n++] = title;
    for (int i = 1; i < argc; i++)
        if (i != at)
            words[n++] = argv[i];
    TRY(command->run(cli, n, words));
done:
    free(words);
    return status;
}

static pleach_status run(plc_cli *cli, int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    const plc_command *command = NULL;
    static char help[] = "--help";
    int at = 1;

    TRY(plc_cli_skip_global(cli, argc, argv, &at));
    for (int i = 1; i < at; i++) {
        if (strncmp(argv[i], "--version", strlen(argv[i])) == 0 && argv[i][2]) { // also cut short
            printf("pleach %s\n", PLEACH_VERSION);
            return PLEACH_OK;
        }
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help();
            return PLEACH_OK;
        }
    }
    if (at >= argc)
        FAIL(cli->ctx, PLEACH_EUSAGE, "no command is given; see `pleach --help`");
    if (strcmp(argv[at], "help") == 0 && at + 1 == argc) {
        print_help();
        return PLEACH_OK;
    }
    if (strcmp(argv[at], "help") == 0) { // `help train` is `train --help`
        argv[at] = argv[at + 1];
        argv[at + 1] = help;
    }
    TRY(find_command(cli, argv[at], &command));
    TRY(run_command(cli, command, argc, argv, at));
done:
    return status;
}

int main(int argc, char **argv)
{
    plc_cli cli = {0};
    pleach_status status = pleach_ctx_create(&cli.ctx);

    if (status != PLEACH_OK) {
        fprintf(stderr, "pleach: error: %s\n", pleach_status_text(status));
        return pleach_status_exit_code(status);
    }
    pleach_ctx_set_log(cli.ctx, log_to_stderr, &cli);
    plc_progress_init(&cli.progress, PLC_PROGRESS_AUTO);
    plc_cli_note_ignored_signals(&cli);
    status = run(&cli, argc, argv);
    plc_progress_clear(&cli.progress);
    if (status != PLEACH_OK) {
        const char *text = pleach_error(cli.ctx);

        plc_cli_complain("pleach: error: ", *text ? text : pleach_status_text(status));
    }
    pleach_ctx_destroy(&cli.ctx);
    return pleach_status_exit_code(status);
}
