// Short forms for builders.
#include <models/build.h>

#include <stdio.h>

static pleach_status add(plc_build *build, const char *op, const char *name, const int *inputs,
                         int n_inputs, const plc_attrs *attrs)
{
    char full[PLC_NODE_NAME_MAX + 1];

    snprintf(full, sizeof full, "%s%s", build->prefix ? build->prefix : "", name);
    return plc_graph_add(build->ctx, build->graph, op, full, inputs, n_inputs, attrs, &build->at);
}

pleach_status plc_build_conv(plc_build *build, const char *name, int filters, int kernel,
                             int stride, int pad)
{
    plc_attrs attrs = {.kernel = {kernel, kernel},
                       .stride = {stride, stride},
                       .pad = {pad, pad},
                       .out_channels = filters};
    return add(build, "conv", name, &(int){build->at}, 1, &attrs);
}

pleach_status plc_build_linear(plc_build *build, const char *name, int features)
{
    plc_attrs attrs = {.out_channels = features, .bias = true};
    return add(build, "linear", name, &(int){build->at}, 1, &attrs);
}

pleach_status plc_build_pool(plc_build *build, const char *op, const char *name, int kernel,
                             int stride)
{
    plc_attrs attrs = {.kernel = {kernel, kernel}, .stride = {stride, stride}};
    return add(build, op, name, &(int){build->at}, 1, &attrs);
}

pleach_status plc_build_op(plc_build *build, const char *op, const char *name)
{
    return add(build, op, name, &(int){build->at}, 1, NULL);
}

pleach_status plc_build_join(plc_build *build, const char *op, const char *name, int first)
{
    int inputs[2] = {first, build->at};
    return add(build, op, name, inputs, 2, NULL);
}

pleach_status plc_build_classifier(plc_build *build, const char *name, int n_classes)
{
    pleach_status status = PLEACH_OK;

    build->prefix = NULL;
    TRY(plc_build_op(build, "global_avg_pool", "avgpool"));
    TRY(plc_build_op(build, "flatten", "flatten"));
    TRY(plc_build_linear(build, name, n_classes));
done:
    return status;
}
