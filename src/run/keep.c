// --keep: the nodes whose channels, and whose residual blocks, are left alone.
#include <run/run.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>

pleach_status plc_run_keep_names(plc_run *run, char **names, const char ***list, int *n_names)
{
    pleach_status status = PLEACH_OK;
    int n = 1;

    *n_names = 0;
    TRY(plc_strdup(run->ctx, run->opts.keep, names));
    for (const char *c = *names; *c; c++)
        n += *c == ',';
    TRY(plc_alloc(run->ctx, (size_t)n, sizeof **list, list));
    char *state = NULL;
    for (char *name = strtok_r(*names, ",", &state); name; name = strtok_r(NULL, ",", &state))
        (*list)[(*n_names)++] = name;
done:
    return status;
}

pleach_status plc_run_check_keep(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    const pleach_graph *graph = run->session->graph;
    char *names = NULL;
    const char **list = NULL;
    int n;

    TRY(plc_run_keep_names(run, &names, &list, &n));
    for (int i = 0; i < n; i++)
        if (plc_graph_find(graph, list[i]) == PLC_NO_NODE)
            FAIL(run->ctx, PLEACH_EUSAGE,
                 "--keep %s: '%s' has no such node; `pleach inspect` lists them", list[i],
                 graph->name);
done:
    free(list);
    free(names);
    return status;
}

static bool is_in_block(const plc_block *block, int node)
{
    for (int i = 0; i < block->n_branch_nodes; i++)
        if (block->branch_nodes[i] == node)
            return true;
    return node == block->add || (node == block->relu && node != PLC_NO_NODE);
}

pleach_status plc_run_mark_kept_blocks(plc_run *run, const pleach_graph *graph,
                                       const plc_blocks *blocks, bool *kept)
{
    pleach_status status = PLEACH_OK;
    char *names = NULL;
    const char **list = NULL;
    int n;

    TRY(plc_run_keep_names(run, &names, &list, &n));
    for (int b = 0; b < blocks->n_items; b++) {
        kept[b] = false;
        for (int i = 0; i < n && !kept[b]; i++)
            kept[b] = is_in_block(&blocks->items[b], plc_graph_find(graph, list[i]));
    }
done:
    free(list);
    free(names);
    return status;
}
