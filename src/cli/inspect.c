// `pleach inspect`: what a network consists of and what it costs, without any device.
#include <cli/model.h>

#include <stdlib.h>
#include <graph/channels.h>
#include <graph/op.h>
#include <price/macs.h>
#include <report/table.h>

enum { KEY_INPUT = 1, KEY_CLASSES, KEY_ALL };

typedef struct inspect_args {
    const char *model;
    int input[3], n_classes;
    bool all;
} inspect_args;

static pleach_status take_option(plc_cli *cli, void *user, int key, const char *value)
{
    inspect_args *args = user;

    switch (key) {
    case KEY_INPUT:
        return plc_cli_shape(cli, "input", value, args->input);
    case KEY_CLASSES:
        return plc_cli_int(cli, "classes", value, 2, 1000000, &args->n_classes);
    default:
        args->all = true;
        return PLEACH_OK;
    }
}

static pleach_status take_argument(plc_cli *cli, void *user, const char *word)
{
    inspect_args *args = user;

    if (args->model)
        return plc_fail(cli->ctx, PLEACH_EUSAGE, "one MODEL is expected, found '%s' and '%s'",
                        args->model, word);
    args->model = word;
    return PLEACH_OK;
}

// Groups of a node's channels, each once, in channel order, into groups[0..n).
static int node_groups(const plc_channels *channels, const pleach_graph *graph, int node,
                       int *groups, int capacity)
{
    int n = 0;

    for (int c = 0; c < graph->nodes[node].shape.c; c++) {
        const int group = plc_channels_group_of(channels, plc_channels_class(channels, node, c));
        int i = 0;

        while (i < n && groups[i] != group)
            i++;
        if (i == n && n < capacity)
            groups[n++] = group;
    }
    return n;
}

enum { MAX_NODE_GROUPS = 256, MAX_SHOWN_GROUPS = 4 };

static pleach_status groups_text(pleach_ctx *ctx, const plc_channels *channels,
                                 const pleach_graph *graph, int node, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    int groups[MAX_NODE_GROUPS];
    const int n = node_groups(channels, graph, node, groups, MAX_NODE_GROUPS);

    for (int i = 0; i < n && i < MAX_SHOWN_GROUPS; i++)
        TRY(plc_text_printf(ctx, text, "%s%d%s", i ? "," : "", groups[i],
                            plc_channels_group(channels, groups[i])->frozen ? " (fixed)" : ""));
    if (n > MAX_SHOWN_GROUPS)
        TRY(plc_text_printf(ctx, text, ",... (%d)", n));
done:
    return status;
}

static json_t *node_to_json(const plc_channels *channels, const pleach_graph *graph, int index)
{
    const plc_node *node = &graph->nodes[index];
    const plc_cost cost = plc_node_cost(graph, index);
    int groups[MAX_NODE_GROUPS];
    const int n = node_groups(channels, graph, index, groups, MAX_NODE_GROUPS);
    json_t *list = json_array();

    for (int i = 0; i < n; i++)
        plc_cli_json_append(&list, json_integer(groups[i]));
    return json_pack("{s: s, s: s, s: [i, i, i], s: I, s: I, s: o}", "name", node->name, "op",
                     node->op->name, "shape", node->shape.c, node->shape.h, node->shape.w, "macs",
                     (json_int_t)cost.macs, "params", (json_int_t)cost.params, "groups", list);
}

static pleach_status print_json(plc_cli *cli, const pleach_graph *graph,
                                const plc_channels *channels)
{
    const plc_shape in = graph->nodes[0].shape, out = graph->nodes[graph->n_nodes - 1].shape;
    json_t *nodes = json_array(), *groups = json_array();

    for (int i = 0; i < graph->n_nodes; i++)
        plc_cli_json_append(&nodes, node_to_json(channels, graph, i));
    for (int i = 0; i < plc_channels_n_groups(channels); i++) {
        const plc_group *group = plc_channels_group(channels, i);

        plc_cli_json_append(&groups, json_pack("{s: s, s: i, s: b}", "first",
                                               graph->nodes[group->first_node].name, "channels",
                                               group->n_classes, "frozen", group->frozen));
    }
    return plc_cli_print_json(
        cli, json_pack("{s: s, s: s, s: [i, i, i], s: i, s: I, s: I, s: i, s: o, s: o}", "schema",
                       "pleach.inspect/1", "name", graph->name, "input", in.c, in.h, in.w,
                       "classes", out.c, "macs", (json_int_t)pleach_graph_macs(graph), "params",
                       (json_int_t)pleach_graph_params(graph), "conv_layers",
                       plc_graph_count_op(graph, "conv"), "nodes", nodes, "groups", groups));
}

static pleach_status add_row(plc_cli *cli, const pleach_graph *graph, const plc_channels *channels,
                             int index, plc_table *table)
{
    pleach_status status = PLEACH_OK;
    const plc_node *node = &graph->nodes[index];
    const plc_cost cost = plc_node_cost(graph, index);
    char macs[PLC_FORMAT_MAX], params[PLC_FORMAT_MAX];
    plc_text groups = {0};

    plc_format_count((unsigned long long)cost.macs, macs, sizeof macs);
    plc_format_count((unsigned long long)cost.params, params, sizeof params);
    TRY(groups_text(cli->ctx, channels, graph, index, &groups));
    TRY(plc_table_cell(cli->ctx, table, "%s", node->name));
    TRY(plc_table_cell(cli->ctx, table, "%s", node->op->name));
    TRY(plc_table_cell(cli->ctx, table, "%d x %d x %d", node->shape.c, node->shape.h,
                       node->shape.w));
    TRY(plc_table_cell(cli->ctx, table, "%s", cost.macs ? macs : ""));
    TRY(plc_table_cell(cli->ctx, table, "%s", cost.params ? params : ""));
    TRY(plc_table_cell(cli->ctx, table, "%s", groups.data ? groups.data : ""));
done:
    plc_text_finish(&groups);
    return status;
}

static pleach_status print_table(plc_cli *cli, const pleach_graph *graph,
                                 const plc_channels *channels, bool all)
{
    pleach_status status = PLEACH_OK;
    const plc_shape in = graph->nodes[0].shape, out = graph->nodes[graph->n_nodes - 1].shape;
    plc_table table = {0};
    plc_text text = {0};
    char macs[PLC_FORMAT_MAX], params[PLC_FORMAT_MAX];
    int n_groups = 0;

    plc_table_column(&table, 'l', "node");
    plc_table_column(&table, 'l', "operator");
    plc_table_column(&table, 'r', "output");
    plc_table_column(&table, 'r', "MACs");
    plc_table_column(&table, 'r', "params");
    plc_table_column(&table, 'l', "channel group");
    for (int i = 0; i < graph->n_nodes; i++)
        if (all || plc_node_cost(graph, i).macs > 0)
            TRY(add_row(cli, graph, channels, i, &table));
    for (int i = 0; i < plc_channels_n_groups(channels); i++)
        n_groups += !plc_channels_group(channels, i)->frozen;
    TRY(plc_table_print(cli->ctx, &table, &text));
    plc_format_count((unsigned long long)pleach_graph_macs(graph), macs, sizeof macs);
    plc_format_count((unsigned long long)pleach_graph_params(graph), params, sizeof params);
    TRY(plc_text_printf(cli->ctx, &text,
                        "\n%s, %d x %d x %d to %d classes: %s MACs, %s parameters, %d "
                        "convolutions, %d prunable groups\n",
                        graph->name, in.c, in.h, in.w, out.c, macs, params,
                        plc_graph_count_op(graph, "conv"), n_groups));
    TRY(plc_cli_print(cli, &text));
done:
    plc_table_finish(&table);
    plc_text_finish(&text);
    return status;
}

pleach_status plc_cli_inspect(plc_cli *cli, int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    static const struct argp_option options[] = {
        {"input", KEY_INPUT, "CxHxW", 0, "image size of a network by name (default 3x32x32)", 1},
        {"classes", KEY_CLASSES, "N", 0, "classes of a network by name (default 10)", 1},
        {"all", KEY_ALL, NULL, 0, "also nodes without multiplications", 1},
        {0},
    };
    inspect_args args = {.input = {3, 32, 32}, .n_classes = 10};
    const plc_cli_args accepted = {
        .options = options,
        .args_doc = "MODEL",
        .doc = "Layers, channels, computations, parameters and channel groups of MODEL, a model "
               "file or a network's name. Needs no device.",
        .option = take_option,
        .argument = take_argument,
        .user = &args};
    plc_model_file model = {0};
    plc_channels *channels = NULL;

    TRY(plc_cli_parse(cli, &accepted, argc, argv));
    if (!args.model)
        FAIL(cli->ctx, PLEACH_EUSAGE,
             "no MODEL is given: a model file, or a network's name as resnet20");
    TRY(plc_cli_open_model(cli, args.model, args.input, args.n_classes, &model));
    TRY(plc_channels_create(cli->ctx, model.graph, &channels));
    if (cli->json)
        TRY(print_json(cli, model.graph, channels));
    else
        TRY(print_table(cli, model.graph, channels, args.all));
done:
    plc_channels_destroy(&channels);
    plc_model_file_finish(&model);
    return status;
}
