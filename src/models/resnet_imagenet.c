// ResNets of ImageNet: basic blocks and bottlenecks. Names as in torchvision ("layer2.0.downsample.0").
#include <models/models.h>

#include <stdio.h>
#include <models/build.h>

enum { N_STAGES = 4, STEM_FILTERS = 64, EXPANSION = 4 };

static const struct {
    int depth, blocks[N_STAGES];
    bool bottleneck;
} depths[] = {
    {18, {2, 2, 2, 2}, false},
    {34, {3, 4, 6, 3}, false},
    {50, {3, 4, 6, 3}, true},
};
enum { N_DEPTHS = sizeof depths / sizeof *depths };

// The branch of a block up to its last batch norm.
static pleach_status build_branch(plc_build *b, bool bottleneck, int filters, int stride)
{
    pleach_status status = PLEACH_OK;

    if (!bottleneck) {
        TRY(plc_build_conv_norm(b, "conv1", "bn1", "relu1", filters, 3, stride));
        TRY(plc_build_conv_norm(b, "conv2", "bn2", NULL, filters, 3, 1));
        goto done;
    }
    TRY(plc_build_conv_norm(b, "conv1", "bn1", "relu1", filters, 1, 1));
    TRY(plc_build_conv_norm(b, "conv2", "bn2", "relu2", filters, 3, stride));
    TRY(plc_build_conv_norm(b, "conv3", "bn3", NULL, filters * EXPANSION, 1, 1));
done:
    return status;
}

static pleach_status build_block(plc_build *b, const char *prefix, bool bottleneck, int filters,
                                 int stride)
{
    pleach_status status = PLEACH_OK;
    const int x = b->at, out = bottleneck ? filters * EXPANSION : filters;
    int branch = 0;

    b->prefix = prefix;
    TRY(build_branch(b, bottleneck, filters, stride));
    branch = b->at;
    b->at = x;
    if (stride != 1 || b->graph->nodes[x].shape.c != out)
        TRY(plc_build_conv_norm(b, "downsample.0", "downsample.1", NULL, out, 1, stride));
    TRY(plc_build_join(b, "add", "add", branch));
    TRY(plc_build_op(b, "relu", "relu"));
done:
    b->prefix = NULL;
    return status;
}

static pleach_status build_stem(plc_build *b, plc_shape input)
{
    pleach_status status = PLEACH_OK;
    const plc_attrs pool = {.kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1}};

    if (!plc_build_is_large(input))
        return plc_build_conv_norm(b, "conv1", "bn1", "relu", STEM_FILTERS, 3, 1);
    TRY(plc_build_conv_norm(b, "conv1", "bn1", "relu", STEM_FILTERS, 7, 2));
    TRY(plc_build_node(b, "max_pool", "maxpool", &pool));
done:
    return status;
}

static pleach_status build_stages(plc_build *b, const int *blocks, bool bottleneck)
{
    pleach_status status = PLEACH_OK;
    char prefix[32];

    for (int stage = 0; stage < N_STAGES; stage++)
        for (int block = 0; block < blocks[stage]; block++) {
            snprintf(prefix, sizeof prefix, "layer%d.%d.", stage + 1, block);
            TRY(build_block(b, prefix, bottleneck, STEM_FILTERS << stage,
                            stage > 0 && block == 0 ? 2 : 1));
        }
done:
    return status;
}

pleach_status plc_model_resnet_imagenet(pleach_ctx *ctx, plc_shape input, int n_classes, int depth,
                                        pleach_graph **graph)
{
    pleach_status status = PLEACH_OK;
    plc_build b = {.ctx = ctx};
    char name[32];
    int i = 0;

    *graph = NULL;
    while (i < N_DEPTHS && depths[i].depth != depth)
        i++;
    if (i == N_DEPTHS)
        FAIL(ctx, PLEACH_EUSAGE, "resnet%d: there are 18, 34 and 50", depth);
    snprintf(name, sizeof name, "resnet%d", depth);
    TRY(plc_graph_create(ctx, name, input, graph));
    b.graph = *graph;
    TRY(build_stem(&b, input));
    TRY(build_stages(&b, depths[i].blocks, depths[i].bottleneck));
    TRY(plc_build_classifier(&b, "fc", n_classes));
done:
    if (status != PLEACH_OK)
        pleach_graph_destroy(graph);
    return status;
}
