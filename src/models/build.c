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

// Sides from which stems of ImageNet's networks make sense: five halvings leave 2 x 2 pixels.
enum { LARGE_SIDE = 64 };

bool plc_build_is_large(plc_shape input)
{
    return input.h >= LARGE_SIDE && input.w >= LARGE_SIDE;
}

pleach_status plc_build_node(plc_build *build, const char *op, const char *name,
                             const plc_attrs *attrs)
{
    return add(build, op, name, &(int){build->at}, 1, attrs);
}

pleach_status plc_build_depthwise(plc_build *build, const char *name, int kernel, int stride)
{
    const int channels = build->graph->nodes[build->at].shape.c;

    return plc_build_node(build, "conv", name,
                          &(plc_attrs){.kernel = {kernel, kernel},
                                       .stride = {stride, stride},
                                       .pad = {kernel / 2, kernel / 2},
                                       .groups = channels,
                                       .out_channels = channels});
}

pleach_status plc_build_conv_norm(plc_build *build, const char *conv, const char *norm,
                                  const char *relu, int filters, int kernel, int stride)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_build_conv(build, conv, filters, kernel, stride, kernel / 2));
    TRY(plc_build_op(build, "batch_norm", norm));
    if (relu)
        TRY(plc_build_op(build, "relu", relu));
done:
    return status;
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
