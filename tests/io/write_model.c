// Not a test: writes a model file for tools/check-onnx, a network by name with random weights and statistics.
//
//     write_model NAME CHANNELS SIZE CLASSES SHARE FILE      SHARE of its channels is pruned (0: none)
#include <stdio.h>
#include <stdlib.h>
#include <graph/channels.h>
#include <io/model_file.h>
#include <rewrite/compact.h>
#include <rewrite/on_host.h>

#include "random_graph.h"

enum { SEED = 5 };

static pleach_status prune(pleach_ctx *ctx, double share, plc_model_file *model)
{
    pleach_status status = PLEACH_OK;
    plc_channels *channels = NULL;
    unsigned char *mask = NULL;
    plc_model_file pruned = {0};
    plc_edits *edits = NULL;

    TRY(plc_channels_create(ctx, model->graph, &channels));
    TRY(plc_random_mask(ctx, channels, SEED, share, &mask));
    TRY(plc_compact_describe(ctx, model->graph, channels, mask, &pruned.graph, &edits));
    TRY(plc_params_layout_create(ctx, pruned.graph, &pruned.layout));
    TRY(plc_edits_apply_on_host(ctx, model->graph, model->layout, model->weights, edits,
                                pruned.graph, pruned.layout, &pruned.weights));
    plc_model_file_finish(model);
    *model = pruned;
    pruned = (plc_model_file){0};
done:
    free(mask);
    plc_edits_destroy(&edits);
    plc_channels_destroy(&channels);
    plc_model_file_finish(&pruned);
    return status;
}

static pleach_status write(pleach_ctx *ctx, char **words, plc_model_file *model)
{
    pleach_status status = PLEACH_OK;
    const int channels = atoi(words[1]), size = atoi(words[2]);
    const double share = atof(words[4]);

    TRY(pleach_graph_create(ctx, words[0], channels, size, size, atoi(words[3]), &model->graph));
    TRY(plc_params_layout_create(ctx, model->graph, &model->layout));
    TRY(plc_random_params(ctx, model->graph, SEED, &model->weights));
    if (share > 0)
        TRY(prune(ctx, share, model));
    TRY(plc_tensors_set_metadata(ctx, &model->extra, "mean",
                                 channels == 1 ? "0.28" : "0.49,0.48,0.45"));
    TRY(plc_tensors_set_metadata(ctx, &model->extra, "std",
                                 channels == 1 ? "0.35" : "0.25,0.24,0.26"));
    TRY(plc_model_file_write(ctx, words[5], model->graph, model->layout, model->weights,
                             &model->extra));
done:
    return status;
}

int main(int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    pleach_ctx *ctx = NULL;
    plc_model_file model = {0};

    if (argc != 7) {
        fprintf(stderr, "usage: write_model NAME CHANNELS SIZE CLASSES SHARE FILE\n");
        return 2;
    }
    TRY(pleach_ctx_create(&ctx));
    TRY(write(ctx, argv + 1, &model));
done:
    if (status != PLEACH_OK)
        fprintf(stderr, "write_model: %s\n", ctx ? pleach_error(ctx) : "no memory");
    plc_model_file_finish(&model);
    pleach_ctx_destroy(&ctx);
    return status != PLEACH_OK;
}
