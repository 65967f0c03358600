// An edit list applied on the host, element by element.
#include <rewrite/on_host.h>

#include <math.h>
#include <base/memory.h>
#include <rewrite/fold.h>

// What is edited: the old network.
typedef struct source {
    const pleach_graph *graph;
    const plc_params_layout *layout;
    const float *weights;
} source;

enum { GAMMA, BETA, MEAN, VARIANCE }; // parameters of a batch norm, in order

static double norm_value(const source *s, int norm, int param, int k)
{
    return (double)s->weights[s->layout->offsets[norm][param] + k];
}

static float folded(const source *s, const plc_edit *edit, int k, double value)
{
    const int norm = edit->norm;
    const double eps = (double)s->graph->nodes[norm].attrs.eps;
    const double scale =
        norm_value(s, norm, GAMMA, k) / sqrt(norm_value(s, norm, VARIANCE, k) + eps);

    if (edit->kind == PLC_EDIT_FOLD_WEIGHT)
        return (float)(value * scale);
    return (float)(norm_value(s, norm, BETA, k) + (value - norm_value(s, norm, MEAN, k)) * scale);
}

static void apply(const source *s, const plc_edit *edit, const plc_param *made, float *to)
{
    const plc_node *node = &s->graph->nodes[edit->from_node];
    const plc_param *param = edit->from_param >= 0 ? &node->params[edit->from_param] : NULL;
    const float *from =
        param ? s->weights + s->layout->offsets[edit->from_node][edit->from_param] : NULL;
    const int depth = param && param->n_dims > 1 ? param->dims[1] : 1;
    int tail = 1;

    for (int i = 2; i < made->n_dims; i++)
        tail *= made->dims[i];
    for (int o = 0; o < edit->n_kept[0]; o++)
        for (int i = 0; i < edit->n_kept[1]; i++)
            for (int t = 0; t < tail; t++, to++) {
                const int row = edit->kept[0] ? edit->kept[0][o] : o;
                const int column = edit->kept[1] ? edit->kept[1][i] : i;
                const float value = from ? from[(row * depth + column) * tail + t] : 0.0f;

                *to = edit->kind == PLC_EDIT_GATHER ? value : folded(s, edit, row, (double)value);
            }
}

pleach_status plc_edits_apply_on_host(pleach_ctx *ctx, const pleach_graph *graph,
                                      const plc_params_layout *layout, const float *weights,
                                      const plc_edits *edits, const pleach_graph *new_graph,
                                      const plc_params_layout *new_layout, float **new_weights)
{
    pleach_status status = PLEACH_OK;
    const source s = {graph, layout, weights};

    TRY(plc_alloc(ctx, (size_t)new_layout->n_floats, sizeof **new_weights, new_weights));
    for (int i = 0; i < edits->n_items; i++) {
        const plc_edit *edit = &edits->items[i];

        if (edit->kind > PLC_EDIT_FOLD_BIAS)
            FAIL(ctx, PLEACH_EFAILED, "'%s': layers are merged on a device only",
                 new_graph->nodes[edit->node].name);
        apply(&s, edit, &new_graph->nodes[edit->node].params[edit->param],
              *new_weights + new_layout->offsets[edit->node][edit->param]);
    }
done:
    return status;
}

pleach_status plc_fold_on_host(pleach_ctx *ctx, const plc_model_file *model, plc_model_file *folded)
{
    pleach_status status = PLEACH_OK;
    plc_edits *edits = NULL;

    *folded = (plc_model_file){0};
    TRY(plc_fold_describe(ctx, model->graph, &folded->graph, &edits, NULL));
    TRY(plc_params_layout_create(ctx, folded->graph, &folded->layout));
    TRY(plc_edits_apply_on_host(ctx, model->graph, model->layout, model->weights, edits,
                                folded->graph, folded->layout, &folded->weights));
done:
    plc_edits_destroy(&edits);
    if (status != PLEACH_OK)
        plc_model_file_finish(folded);
    return status;
}
