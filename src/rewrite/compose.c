// Launches of compose_weight, compose_bias and add_identity (cl/rewrite.cl).
#include <rewrite/compose.h>

#include <string.h>
#include <rewrite_params.h>

int plc_param_offset(const pleach_session *session, int node, const char *param)
{
    for (int i = 0; i < session->graph->nodes[node].n_params; i++)
        if (strcmp(session->graph->nodes[node].params[i].name, param) == 0)
            return session->layout->offsets[node][i];
    return -1;
}

static void set_norm(compose_params *p, const pleach_session *old, int norm)
{
    p->gamma = p->beta = p->mean = p->var = -1;
    if (norm == PLC_NO_NODE)
        return;
    p->gamma = plc_param_offset(old, norm, "gamma");
    p->beta = plc_param_offset(old, norm, "beta");
    p->mean = plc_param_offset(old, norm, "running_mean");
    p->var = plc_param_offset(old, norm, "running_var");
    p->eps = old->graph->nodes[norm].attrs.eps;
}

static compose_params make_params(const pleach_session *old, const pleach_session *new,
                                  const plc_edit *edit)
{
    const plc_node *first = &old->graph->nodes[edit->first];
    const plc_node *second = &old->graph->nodes[edit->second];
    const plc_attrs *a = &first->attrs, *b = &second->attrs;
    const bool mean = edit->kind == PLC_EDIT_COMPOSE_MEAN;
    const bool weight = edit->kind == PLC_EDIT_COMPOSE_WEIGHT;
    compose_params p = {
        .first = plc_param_offset(old, edit->first, "weight"),
        .second = plc_param_offset(old, edit->second, "weight"),
        .first_bias = plc_param_offset(old, edit->first, "bias"),
        .second_bias = plc_param_offset(old, edit->second, "bias"),
        .mean_behind = mean ? plc_param_offset(old, edit->from_node, "running_mean") : -1,
        .to = new->layout->offsets[edit->node][edit->param],
        .C = old->graph->nodes[first->inputs[0]].shape.c,
        .M = first->shape.c,
        .K = second->shape.c,
        .groups = weight ? new->graph->nodes[edit->node].attrs.groups : 1,
        .groups1 = a->groups,
        .groups2 = b->groups,
        .R1 = a->kernel[0],
        .S1 = a->kernel[1],
        .R2 = b->kernel[0],
        .S2 = b->kernel[1],
        .R = weight ? new->graph->nodes[edit->node].attrs.kernel[0] : 1,
        .S = weight ? new->graph->nodes[edit->node].attrs.kernel[1] : 1,
        .stride_h = a->stride[0],
        .stride_w = a->stride[1],
    };

    set_norm(&p, old, edit->norm);
    return p;
}

pleach_status plc_append_composition(plc_launch_list *list, const pleach_session *old,
                                     const pleach_session *new, const plc_edit *edit)
{
    pleach_status status = PLEACH_OK;
    const compose_params p = make_params(old, new, edit);
    const bool weight = edit->kind == PLC_EDIT_COMPOSE_WEIGHT;
    plc_launch *launch = NULL;

    TRY(plc_launch_add(list, "rewrite", weight ? "compose_weight" : "compose_bias", "", &launch));
    plc_launch_arg_buffer(launch, old->weights);
    plc_launch_arg_buffer(launch, new->weights);
    plc_launch_arg_value(launch, &p, sizeof p);
    plc_launch_items(launch, plc_param_count(&new->graph->nodes[edit->node].params[edit->param]));
done:
    return status;
}

pleach_status plc_append_identity(plc_launch_list *list, const pleach_session *old,
                                  const pleach_session *new, const plc_edit *edit)
{
    pleach_status status = PLEACH_OK;
    const plc_param *param = &new->graph->nodes[edit->node].params[edit->param];
    const int values[] = {old->layout->offsets[edit->from_node][edit->from_param],
                          new->layout->offsets[edit->node][edit->param],
                          (int)plc_param_count(param),
                          param->dims[1],
                          param->dims[2],
                          param->dims[3]};
    plc_launch *launch = NULL;

    TRY(plc_launch_add(list, "rewrite", "add_identity", "", &launch));
    plc_launch_arg_buffer(launch, old->weights);
    plc_launch_arg_buffer(launch, new->weights);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        plc_launch_arg_int(launch, values[i]);
    plc_launch_items(launch, plc_param_count(param));
done:
    return status;
}
