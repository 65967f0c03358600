// Edits as launches: a gather per arena, a fold per weight and bias.
#include <rewrite/apply.h>

#include <assert.h>
#include <rewrite_params.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <exec/self_test.h>
#include <ops/arena_launch.h>
#include <rewrite/compose.h>

typedef struct apply {
    pleach_session *old, *new;
    plc_launch_list list;
    plc_buffer *kept; // all index lists, one after another
    int *offsets;     // of list 2 * edit + axis, -1: all
    plc_buffer *gathers;
} apply;

static pleach_status upload_lists(apply *a, const plc_edits *edits)
{
    pleach_status status = PLEACH_OK;
    int *lists = NULL;
    size_t n = 0, capacity = 0;

    TRY(plc_alloc(a->new->ctx, 2 * (size_t)edits->n_items + 1, sizeof *a->offsets, &a->offsets));
    for (int i = 0; i < 2 * edits->n_items; i++) {
        const plc_edit *edit = &edits->items[i / 2];
        const int *kept = edit->kept[i % 2];
        const size_t count = kept ? (size_t)edit->n_kept[i % 2] : 0;
        a->offsets[i] = kept ? (int)n : -1;
        TRY(plc_grow(a->new->ctx, &lists, &capacity, n + count + 1));
        if (count)
            memcpy(lists + n, kept, count * sizeof *lists);
        n += count;
    }
    TRY(plc_buffer_create(a->new->device, "kept channels", n * sizeof *lists, &a->kept));
    if (n)
        TRY(plc_buffer_write(a->new->device, a->kept, 0, n * sizeof *lists, lists));
done:
    free(lists);
    return status;
}

static gather_params gather_of(const apply *a, const plc_edit *edit, const int *kept)
{
    const plc_param *param = &a->new->graph->nodes[edit->node].params[edit->param];
    const plc_param *source = &a->old->graph->nodes[edit->from_node].params[edit->from_param];

    return (gather_params){
        .from = a->old->layout->offsets[edit->from_node][edit->from_param],
        .to = a->new->layout->offsets[edit->node][edit->param],
        .n0 = param->dims[0],
        .n1 = param->n_dims > 1 ? param->dims[1] : 1,
        .tail =
            (int)plc_param_count(param) / param->dims[0] / (param->n_dims > 1 ? param->dims[1] : 1),
        .depth = source->n_dims > 1 ? source->dims[1] : 1,
        .kept0 = kept[0],
        .kept1 = kept[1],
    };
}

// All parameters that keep what they had: of weights, and what is trained of them of the optimizer's state.
// Edits are in the order of the layout, trainable parameters first.
static pleach_status add_gathers(apply *a, const plc_edits *edits)
{
    pleach_status status = PLEACH_OK;
    gather_params *gathers = NULL;
    int n = 0, n_trainable = 0;

    TRY(plc_alloc(a->new->ctx, (size_t)edits->n_items + 1, sizeof *gathers, &gathers));
    for (int i = 0; i < edits->n_items; i++)
        if (edits->items[i].kind == PLC_EDIT_GATHER) {
            gathers[n] = gather_of(a, &edits->items[i], &a->offsets[2 * i]);
            assert(n == 0 || gathers[n].to > gathers[n - 1].to);
            n_trainable += gathers[n++].to < a->new->layout->n_trainable;
        }
    if (n == 0)
        goto done;
    TRY(plc_buffer_upload(a->new->device, "gathers", gathers, (size_t)n * sizeof *gathers,
                          &a->gathers));
    TRY(plc_append_gathers(&a->list, a->old->weights, a->new->weights, a->kept, a->gathers, n));
    for (int i = 0; i < PLC_MAX_OPTIMIZER_ARENAS && n_trainable > 0; i++)
        if (a->old->moments[i] && a->new->moments[i])
            TRY(plc_append_gathers(&a->list, a->old->moments[i], a->new->moments[i], a->kept,
                                   a->gathers, n_trainable));
done:
    free(gathers);
    return status;
}

static pleach_status add_fold(apply *a, const plc_edit *edit)
{
    pleach_status status = PLEACH_OK;
    const bool weight = edit->kind == PLC_EDIT_FOLD_WEIGHT;
    const plc_param *param = &a->new->graph->nodes[edit->node].params[edit->param];
    const int n = (int)plc_param_count(param);
    plc_launch *launch = NULL;

    TRY(plc_launch_add(&a->list, "rewrite", weight ? "fold_weight" : "fold_bias", "", &launch));
    plc_launch_arg_buffer(launch, a->old->weights);
    plc_launch_arg_buffer(launch, a->new->weights);
    plc_launch_arg_int(launch, edit->from_param < 0
                                   ? -1
                                   : a->old->layout->offsets[edit->from_node][edit->from_param]);
    plc_launch_arg_int(launch, a->new->layout->offsets[edit->node][edit->param]);
    plc_launch_arg_int(launch, n);
    if (weight)
        plc_launch_arg_int(launch, n / param->dims[0]);
    plc_launch_arg_int(launch, plc_param_offset(a->old, edit->norm, "gamma"));
    if (!weight) {
        plc_launch_arg_int(launch, plc_param_offset(a->old, edit->norm, "beta"));
        plc_launch_arg_int(launch, plc_param_offset(a->old, edit->norm, "running_mean"));
    }
    plc_launch_arg_int(launch, plc_param_offset(a->old, edit->norm, "running_var"));
    plc_launch_arg_float(launch, a->old->graph->nodes[edit->norm].attrs.eps);
    plc_launch_items(launch, (size_t)n);
done:
    return status;
}

// unfold_norm (cl/rewrite.cl).
static pleach_status add_unfold(apply *a, const plc_edit *edit)
{
    pleach_status status = PLEACH_OK;
    const bool gamma = edit->kind == PLC_EDIT_UNFOLD_GAMMA;
    const int bias =
        edit->kind == PLC_EDIT_UNFOLD_MEAN ? plc_param_offset(a->old, edit->first, "bias") : -1;
    const int n = (int)plc_param_count(&a->new->graph->nodes[edit->node].params[edit->param]);
    plc_launch *launch = NULL;

    TRY(plc_launch_add(&a->list, "rewrite", "unfold_norm", "", &launch));
    plc_launch_arg_buffer(launch, a->old->weights);
    plc_launch_arg_buffer(launch, a->new->weights);
    plc_launch_arg_int(
        launch, plc_param_offset(a->old, edit->norm, gamma ? "running_var" : "running_mean"));
    plc_launch_arg_int(launch, bias);
    plc_launch_arg_int(launch, a->new->layout->offsets[edit->node][edit->param]);
    plc_launch_arg_int(launch, n);
    plc_launch_arg_int(launch, gamma);
    plc_launch_arg_float(launch, a->new->graph->nodes[edit->node].attrs.eps);
    plc_launch_items(launch, (size_t)n);
done:
    return status;
}

// All but gathers, which are one launch.
static pleach_status add_edit(apply *a, const plc_edit *edit)
{
    switch (edit->kind) {
    case PLC_EDIT_GATHER:
        break;
    case PLC_EDIT_FOLD_WEIGHT:
    case PLC_EDIT_FOLD_BIAS:
        return add_fold(a, edit);
    case PLC_EDIT_COMPOSE_WEIGHT:
    case PLC_EDIT_COMPOSE_BIAS:
    case PLC_EDIT_COMPOSE_MEAN:
        return plc_append_composition(&a->list, a->old, a->new, edit);
    case PLC_EDIT_ADD_IDENTITY:
        return plc_append_identity(&a->list, a->old, a->new, edit);
    case PLC_EDIT_UNFOLD_GAMMA:
    case PLC_EDIT_UNFOLD_BETA:
    case PLC_EDIT_UNFOLD_MEAN:
        return add_unfold(a, edit);
    }
    return PLEACH_OK;
}

pleach_status plc_rewrite_apply(pleach_session *old, pleach_session *new, const plc_edits *edits)
{
    pleach_status status = PLEACH_OK;
    apply a = {.old = old, .new = new};

    plc_launch_list_init(&a.list, new->device);
    TRY(plc_self_test_require(new->device, PLC_SELF_TEST_REWRITE));
    TRY(upload_lists(&a, edits));
    TRY(add_gathers(&a, edits));
    for (int i = 0; i < edits->n_items; i++)
        TRY(add_edit(&a, &edits->items[i]));
    TRY(plc_launch_list_freeze(&a.list));
    TRY(plc_launch_list_run(&a.list));
    TRY(plc_device_finish(new->device));
    plc_session_touch(new);
done:
    plc_launch_list_finish(&a.list);
    plc_buffer_destroy(new->device, &a.kept);
    plc_buffer_destroy(new->device, &a.gathers);
    free(a.offsets);
    return status;
}

// Nodes that come from nowhere start as in a new network.
static bool adds_parameters(const pleach_graph *graph, const plc_edits *edits)
{
    for (int i = 0; i < graph->n_nodes; i++)
        if (edits->from_nodes[i] == PLC_NO_NODE && graph->nodes[i].n_params > 0)
            return true;
    return false;
}

pleach_status plc_rewrite_session(pleach_session *old, const pleach_graph *new_graph,
                                  const plc_edits *edits, bool inference_only, pleach_session **out)
{
    pleach_status status = PLEACH_OK;
    pleach_session_opts opts = old->opts;
    pleach_session *new = NULL;

    opts.inference_only = inference_only;
    if (adds_parameters(new_graph, edits))
        TRY(pleach_session_create(old->ctx, new_graph, old->device, old->batch, &opts, &new));
    else
        TRY(plc_session_create_unset(old->ctx, new_graph, old->device, old->batch, &opts, &new));
    for (int i = 0; i < PLC_MAX_OPTIMIZER_ARENAS && !inference_only; i++)
        if (old->moments[i])
            TRY(plc_buffer_create(new->device, "moments",
                                  (size_t) new->layout->n_trainable * sizeof(float),
                                  &new->moments[i]));
    TRY(plc_rewrite_apply(old, new, edits));
    *out = new;
    new = NULL;
done:
    pleach_session_destroy(&new);
    return status;
}
