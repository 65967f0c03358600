// Models as users of the library have them.
#include <pleach/model.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <exec/session.h>
#include <io/onnx.h>
#include <rewrite/on_host.h>
#include <run/input.h>

struct pleach_model {
    plc_model_file file;
};

pleach_status pleach_model_read(pleach_ctx *ctx, const char *path, pleach_model **model)
{
    pleach_status status = PLEACH_OK;
    pleach_model *m = NULL;

    *model = NULL;
    TRY(plc_alloc(ctx, 1, sizeof *m, &m));
    TRY(plc_model_file_read(ctx, path, &m->file));
    *model = m;
    m = NULL;
done:
    pleach_model_destroy(&m);
    return status;
}

pleach_status pleach_model_create(pleach_ctx *ctx, const char *name, int channels, int height,
                                  int width, int n_classes, unsigned long long seed,
                                  pleach_model **model)
{
    pleach_status status = PLEACH_OK;
    pleach_model *m = NULL;

    *model = NULL;
    TRY(plc_alloc(ctx, 1, sizeof *m, &m));
    plc_model_file *f = &m->file;
    TRY(pleach_graph_create(ctx, name, channels, height, width, n_classes, &f->graph));
    TRY(plc_params_layout_create(ctx, f->graph, &f->layout));
    TRY(plc_alloc(ctx, (size_t)f->layout->n_floats, sizeof *f->weights, &f->weights));
    plc_initial_weights(f->graph, f->layout, seed, f->weights);
    *model = m;
    m = NULL;
done:
    pleach_model_destroy(&m);
    return status;
}

void pleach_model_destroy(pleach_model **model)
{
    if (*model)
        plc_model_file_finish(&(*model)->file);
    free(*model);
    *model = NULL;
}

static pleach_status write_onnx(pleach_ctx *ctx, const plc_model_file *file, const char *path,
                                const pleach_model_write_opts *opts)
{
    pleach_status status = PLEACH_OK;
    plc_model_file folded = {0};
    const plc_model_file *written = file;

    if (!opts->batch_norms) {
        TRY(plc_fold_on_host(ctx, file, &folded));
        written = &folded;
    }
    TRY(plc_onnx_write(ctx, path, written->graph, written->layout, written->weights,
                       &(plc_onnx_write_opts){.opset = opts->opset, .extra = &file->extra}));
done:
    plc_model_file_finish(&folded);
    return status;
}

pleach_status pleach_model_write(pleach_ctx *ctx, const pleach_model *model, const char *path,
                                 const pleach_model_write_opts *opts)
{
    const plc_model_file *f = &model->file;

    if (plc_is_onnx_path(path))
        return write_onnx(ctx, f, path, opts ? opts : &(pleach_model_write_opts){0});
    return plc_model_file_write(ctx, path, f->graph, f->layout, f->weights, &f->extra);
}

const pleach_graph *pleach_model_graph(const pleach_model *model)
{
    return model->file.graph;
}

static void copy_shape(const plc_node *node, int shape[3])
{
    memcpy(shape, (int[]){node->shape.c, node->shape.h, node->shape.w}, 3 * sizeof *shape);
}

void pleach_model_input(const pleach_model *model, int shape[3])
{
    copy_shape(&model->file.graph->nodes[0], shape);
}

void pleach_model_output(const pleach_model *model, int shape[3])
{
    copy_shape(&model->file.graph->nodes[model->file.graph->n_nodes - 1], shape);
}

pleach_status pleach_model_normalisation(pleach_ctx *ctx, const pleach_model *model, float *mean,
                                         float *std, bool *given)
{
    pleach_status status = PLEACH_OK;
    const int n = model->file.graph->nodes[0].shape.c;
    float *const values[] = {mean, std};

    *given = false;
    for (int i = 0; i < 2; i++) {
        bool found = false;
        for (int c = 0; c < n; c++)
            values[i][c] = (float)i; // mean 0, deviation 1
        TRY(plc_normalisation_read(ctx, &model->file.extra, i == 0 ? "mean" : "std", n, values[i],
                                   &found));
        *given = *given || found;
    }
done:
    return status;
}

int pleach_model_n_tensors(const pleach_model *model)
{
    return model->file.layout->n_places;
}

void pleach_model_tensor(const pleach_model *model, int index, pleach_tensor *tensor)
{
    const plc_param_place *place = &model->file.layout->places[index];
    const plc_node *node = &model->file.graph->nodes[place->node];
    const plc_param *param = &node->params[place->param];

    *tensor = (pleach_tensor){.n_dims = param->n_dims,
                              .trainable = param->trainable,
                              .data = model->file.weights + place->offset};
    memcpy(tensor->dims, param->dims, sizeof tensor->dims);
    plc_param_name(node, place->param, tensor->name, sizeof tensor->name);
}

pleach_status pleach_session_load(pleach_session *session, const pleach_model *model)
{
    const plc_model_file *f = &model->file;

    if (session->layout->n_floats != f->layout->n_floats ||
        session->graph->n_nodes != f->graph->n_nodes)
        return plc_fail(session->ctx, PLEACH_EUSAGE,
                        "the session of '%s' has %d nodes and %d parameters, the model '%s' has %d "
                        "and %d; create the session from the model's graph",
                        session->graph->name, session->graph->n_nodes, session->layout->n_floats,
                        f->graph->name, f->graph->n_nodes, f->layout->n_floats);
    return plc_session_write_weights(session, f->weights);
}
