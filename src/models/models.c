// The networks that are known by name.
#include <models/models.h>

#include <string.h>
#include <base/text.h>

// Last convolution of the cnn5 that a user asks for by name: 16, 32, 64, 128 filters.
enum { CNN5_WIDTH = 128 };

static pleach_status cnn5(pleach_ctx *ctx, plc_shape input, int n_classes, int unused,
                          pleach_graph **graph)
{
    (void)unused;
    return plc_model_cnn5(ctx, input, n_classes, CNN5_WIDTH, graph);
}

static pleach_status vgg16(pleach_ctx *ctx, plc_shape input, int n_classes, int unused,
                           pleach_graph **graph)
{
    (void)unused;
    return plc_model_vgg16(ctx, input, n_classes, graph);
}

static pleach_status densenet40(pleach_ctx *ctx, plc_shape input, int n_classes, int unused,
                                pleach_graph **graph)
{
    (void)unused;
    return plc_model_densenet40(ctx, input, n_classes, graph);
}

static pleach_status mobilenet_v2(pleach_ctx *ctx, plc_shape input, int n_classes, int unused,
                                  pleach_graph **graph)
{
    (void)unused;
    return plc_model_mobilenet_v2(ctx, input, n_classes, graph);
}

static pleach_status densenet121(pleach_ctx *ctx, plc_shape input, int n_classes, int unused,
                                 pleach_graph **graph)
{
    (void)unused;
    return plc_model_densenet121(ctx, input, n_classes, graph);
}

static pleach_status vgg16_bn(pleach_ctx *ctx, plc_shape input, int n_classes, int unused,
                              pleach_graph **graph)
{
    (void)unused;
    return plc_model_vgg16_bn(ctx, input, n_classes, graph);
}

static const struct {
    const char *name;
    pleach_status (*build)(pleach_ctx *, plc_shape, int, int, pleach_graph **);
    int depth;
} models[] = {
    {"cnn5", cnn5, 0},
    {"resnet20", plc_model_resnet, 20},
    {"resnet32", plc_model_resnet, 32},
    {"resnet44", plc_model_resnet, 44},
    {"resnet56", plc_model_resnet, 56},
    {"resnet110", plc_model_resnet, 110},
    {"vgg16", vgg16, 0},
    {"densenet40", densenet40, 0},
    {"resnet18", plc_model_resnet_imagenet, 18},
    {"resnet34", plc_model_resnet_imagenet, 34},
    {"resnet50", plc_model_resnet_imagenet, 50},
    {"mobilenet_v2", mobilenet_v2, 0},
    {"densenet121", densenet121, 0},
    {"vgg16_bn", vgg16_bn, 0},
};
enum { N_MODELS = sizeof models / sizeof *models };

static pleach_status unknown_model(pleach_ctx *ctx, const char *model)
{
    pleach_status status = PLEACH_OK;
    const char *names[N_MODELS] = {0};
    plc_text list = {0};

    for (int i = 0; i < N_MODELS; i++) {
        names[i] = models[i].name;
        TRY(plc_text_printf(ctx, &list, "%s%s", i ? ", " : "", names[i]));
    }
    const char *nearest = plc_nearest_name(model, names, N_MODELS);
    if (nearest)
        FAIL(ctx, PLEACH_EUSAGE, "unknown model '%s'; did you mean '%s'? There are: %s", model,
             nearest, list.data);
    FAIL(ctx, PLEACH_EUSAGE, "unknown model '%s'; there are: %s", model, list.data);
done:
    plc_text_finish(&list);
    return status;
}

pleach_status pleach_graph_create(pleach_ctx *ctx, const char *model, int channels, int height,
                                  int width, int n_classes, pleach_graph **graph)
{
    plc_shape input = {channels, height, width};

    *graph = NULL;
    for (int i = 0; i < N_MODELS; i++) {
        if (strcmp(models[i].name, model) != 0)
            continue;
        pleach_status status = models[i].build(ctx, input, n_classes, models[i].depth, graph);
        return status == PLEACH_OK ? status
                                   : plc_fail_in(ctx, status, "%s for %d x %d x %d images", model,
                                                 channels, height, width);
    }
    return unknown_model(ctx, model);
}
