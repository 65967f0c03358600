// `pleach bench tune`: times every candidate of every kernel that a network uses, and keeps the fastest.
#include <cli/bench.h>

#include <string.h>
#include <cli/model.h>
#include <exec/session.h>
#include <kernel/tuner.h>
#include <report/table.h>

// The fastest candidate beside the chosen one, NULL when there is none.
static const plc_tuning_candidate *runner_up(const plc_tuning_entry *entry)
{
    const plc_tuning_candidate *best = NULL;

    for (int i = 0; i < entry->n_candidates; i++) {
        const plc_tuning_candidate *c = &entry->candidates[i];
        if (i != entry->chosen && !c->rejected && (!best || c->ms < best->ms))
            best = c;
    }
    return best;
}

static pleach_status add_row(pleach_ctx *ctx, plc_table *table, plc_tuner_answer answer)
{
    pleach_status status = PLEACH_OK;
    const plc_tuning_entry *entry = answer.entry;
    const plc_tuning_candidate *second = entry ? runner_up(entry) : NULL;
    plc_text rejected = {0};

    TRY(plc_table_cell(ctx, table, "%s", answer.operation));
    TRY(plc_table_cell(ctx, table, "%s", answer.shape));
    TRY(plc_table_cell(ctx, table, "%s", answer.name));
    TRY(plc_table_cell(ctx, table, "%s", answer.source));
    if (entry)
        TRY(plc_table_cell(ctx, table, "%.4f", entry->candidates[entry->chosen].ms));
    else
        TRY(plc_table_cell(ctx, table, "-"));
    TRY(plc_table_cell(ctx, table, "%s", second ? second->name : "-"));
    if (second)
        TRY(plc_table_cell(ctx, table, "%.2f", second->ms / entry->candidates[entry->chosen].ms));
    else
        TRY(plc_table_cell(ctx, table, "-"));
    for (int i = 0; entry && i < entry->n_candidates; i++)
        if (entry->candidates[i].rejected)
            TRY(plc_text_printf(ctx, &rejected, "%s%s (%s)", rejected.length ? "; " : "",
                                entry->candidates[i].name, entry->candidates[i].rejected));
    TRY(plc_table_cell(ctx, table, "%s", rejected.length ? rejected.data : "-"));
done:
    plc_text_finish(&rejected);
    return status;
}

static pleach_status print_table(plc_cli *cli, const plc_tuner *tuner)
{
    pleach_status status = PLEACH_OK;
    plc_table table = {0};
    plc_text text = {0};

    plc_table_column(&table, 'l', "operation");
    plc_table_column(&table, 'l', "shape class");
    plc_table_column(&table, 'l', "chosen");
    plc_table_column(&table, 'l', "from");
    plc_table_column(&table, 'r', "ms");
    plc_table_column(&table, 'l', "runner-up");
    plc_table_column(&table, 'r', "ratio");
    plc_table_column(&table, 'l', "rejected (reason)");
    for (int i = 0; i < plc_tuner_count(tuner); i++)
        TRY(add_row(cli->ctx, &table, plc_tuner_get(tuner, i)));
    TRY(plc_table_print(cli->ctx, &table, &text));
    TRY(plc_text_printf(cli->ctx, &text,
                        "\nms of one run; ratio: how much longer the runner-up "
                        "takes (the default stays where nothing saves 3 %%); "));
    if (plc_tuner_is_kept(tuner))
        TRY(plc_text_printf(cli->ctx, &text, "kept in %s\n", plc_tuner_path(tuner)));
    else
        TRY(plc_text_printf(cli->ctx, &text, "not kept: %s\n",
                            plc_tuner_path(tuner) ? "its file cannot be written"
                                                  : "there is no cache"));
    TRY(plc_cli_print(cli, &text));
done:
    plc_table_finish(&table);
    plc_text_finish(&text);
    return status;
}

// NULL without memory.
static json_t *answer_to_json(plc_tuner_answer answer)
{
    json_t *ms = json_object(), *rejected = json_object();

    for (int i = 0; answer.entry && i < answer.entry->n_candidates; i++) {
        const plc_tuning_candidate *c = &answer.entry->candidates[i];
        if (c->rejected)
            json_object_set_new(rejected, c->name, json_string(c->rejected));
        else
            json_object_set_new(ms, c->name, json_real(c->ms));
    }
    return json_pack("{s: s, s: s, s: s, s: s, s: s, s: o, s: o}", "kind", "tune", "operation",
                     answer.operation, "shape", answer.shape, "chosen", answer.name, "from",
                     answer.source, "ms", ms, "rejected", rejected);
}

static pleach_status print_answers(plc_cli *cli, const pleach_device *device)
{
    json_t *results = NULL;

    if (!cli->json)
        return print_table(cli, device->tuner);
    results = json_array();
    for (int i = 0; i < plc_tuner_count(device->tuner); i++)
        plc_cli_json_append(&results, answer_to_json(plc_tuner_get(device->tuner, i)));
    return plc_cli_print_json(cli,
                              json_pack("{s: s, s: o, s: o}", "schema", "pleach.bench/1", "device",
                                        plc_cli_device_json(device), "results", results));
}

pleach_status plc_bench_tune(plc_cli *cli, int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    static const struct argp_option options[] = {PLC_BENCH_NETWORK_OPTIONS, {0}};
    plc_bench_args args = plc_bench_defaults;
    const plc_cli_args accepted = {
        .options = options,
        .doc =
            "Times every candidate kernel of the network's training and inference, also where an "
            "answer is known, and keeps the fastest for later runs on this device. Choices that "
            "change the last bits of results are made here only: a run that is resumed after it "
            "may differ in them.",
        .option = plc_bench_take_option,
        .user = &args};
    plc_model_file model = {0};
    pleach_device *device = NULL;
    pleach_session *session = NULL;

    TRY(plc_cli_parse(cli, &accepted, argc, argv));
    if (cli->tune && strcmp(cli->tune, "full") != 0)
        FAIL(cli->ctx, PLEACH_EUSAGE, "--tune %s: everything is measured here; leave it out",
             cli->tune);
    TRY(plc_cli_open_model(cli, args.model, args.input, args.n_classes, &model));
    cli->tune = "full";
    TRY(plc_cli_open_device(cli, false, &device));
    TRY(pleach_session_create(cli->ctx, model.graph, device, args.batch, NULL, &session));
    TRY(print_answers(cli, device));
done:
    pleach_session_destroy(&session);
    pleach_device_close(&device);
    plc_model_file_finish(&model);
    return status;
}
