// A model in one file.
#include <io/model_file.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/file.h>
#include <base/memory.h>
#include <io/onnx.h>

#define FORMAT "1"
#define FORMAT_KEY "pleach.format"
#define GRAPH_KEY "pleach.graph"
#define STATE_PREFIX "pleach.state."
enum { STATE_PREFIX_LENGTH = sizeof STATE_PREFIX - 1 };

static bool is_state(const char *name)
{
    return strncmp(name, STATE_PREFIX, STATE_PREFIX_LENGTH) == 0;
}

static const plc_param *param_at(const pleach_graph *graph, const plc_param_place *place)
{
    return &graph->nodes[place->node].params[place->param];
}

static pleach_status add_params(pleach_ctx *ctx, const pleach_graph *graph,
                                const plc_params_layout *layout, const float *weights,
                                plc_tensors *file)
{
    pleach_status status = PLEACH_OK;

    for (int i = 0; i < layout->n_places; i++) {
        const plc_param_place *place = &layout->places[i];
        const plc_param *param = param_at(graph, place);
        char name[PLC_PARAM_NAME_MAX];
        size_t dims[PLC_TENSOR_MAX_DIMS];

        plc_param_name(&graph->nodes[place->node], place->param, name, sizeof name);
        if (is_state(name))
            FAIL(ctx, PLEACH_EINPUT, "parameter '%s': names with '%s' are reserved", name,
                 STATE_PREFIX);
        for (int j = 0; j < param->n_dims; j++)
            dims[j] = (size_t)param->dims[j];
        TRY(plc_tensors_add(ctx, file, name, dims, param->n_dims, weights + place->offset));
    }
done:
    return status;
}

static pleach_status add_extra(pleach_ctx *ctx, const plc_tensors *extra, plc_tensors *file)
{
    pleach_status status = PLEACH_OK;
    char *name = NULL;

    for (size_t i = 0; i < extra->n; i++) {
        const plc_named_tensor *tensor = &extra->items[i];

        free(name);
        if (asprintf(&name, "%s%s", STATE_PREFIX, tensor->name) < 0) {
            name = NULL;
            FAIL(ctx, PLEACH_ENOMEM, "no memory for the name of '%s'", tensor->name);
        }
        TRY(plc_tensors_add(ctx, file, name, tensor->dims, tensor->n_dims, tensor->data));
    }
    for (size_t i = 0; i < extra->n_metadata; i++)
        TRY(plc_tensors_set_metadata(ctx, file, extra->metadata[i].key, extra->metadata[i].value));
done:
    free(name);
    return status;
}

pleach_status plc_model_file_write(pleach_ctx *ctx, const char *path, const pleach_graph *graph,
                                   const plc_params_layout *layout, const float *weights,
                                   const plc_tensors *extra)
{
    pleach_status status = PLEACH_OK;
    plc_tensors file = {0};
    char *json = NULL;

    TRY(add_params(ctx, graph, layout, weights, &file));
    if (extra)
        TRY(add_extra(ctx, extra, &file));
    TRY(plc_graph_to_json(ctx, graph, &json));
    TRY(plc_tensors_set_metadata(ctx, &file, FORMAT_KEY, FORMAT));
    TRY(plc_tensors_set_metadata(ctx, &file, GRAPH_KEY, json));
    TRY(plc_tensor_file_write(ctx, path, &file));
done:
    free(json);
    plc_tensors_finish(&file);
    return status;
}

static pleach_status read_graph(pleach_ctx *ctx, const plc_tensors *file, plc_model_file *model)
{
    pleach_status status = PLEACH_OK;
    const char *format = plc_tensors_metadata(file, FORMAT_KEY);
    const char *json = plc_tensors_metadata(file, GRAPH_KEY);

    if (!json)
        FAIL(ctx, PLEACH_EINPUT,
             "has no '%s' in its metadata: weights alone do not say which network is theirs",
             GRAPH_KEY);
    if (!format || strcmp(format, FORMAT) != 0)
        FAIL(ctx, PLEACH_EINPUT, "has '%s' '%s', this version reads '%s'", FORMAT_KEY,
             format ? format : "none", FORMAT);
    TRY(plc_graph_from_json(ctx, json, strlen(json), &model->graph));
    TRY(plc_params_layout_create(ctx, model->graph, &model->layout));
done:
    return status;
}

static pleach_status check_shape(pleach_ctx *ctx, const plc_named_tensor *tensor,
                                 const plc_param *param)
{
    char found[PLC_FORMAT_DIMS_MAX], expected[PLC_FORMAT_DIMS_MAX];
    size_t dims[PLC_TENSOR_MAX_DIMS] = {0};

    for (int i = 0; i < param->n_dims; i++)
        dims[i] = (size_t)param->dims[i];
    if (tensor->n_dims == param->n_dims &&
        memcmp(tensor->dims, dims, (size_t)param->n_dims * sizeof *dims) == 0)
        return PLEACH_OK;
    plc_format_dims(tensor->dims, tensor->n_dims, found, sizeof found);
    plc_format_dims(dims, param->n_dims, expected, sizeof expected);
    return plc_fail(ctx, PLEACH_EINPUT, "tensor '%s' has shape %s, its graph expects %s",
                    tensor->name, found, expected);
}

// Copies each parameter to its place; marks its tensor in is_param[file->n].
static pleach_status copy_params(pleach_ctx *ctx, const plc_tensors *file, plc_model_file *model,
                                 bool *is_param)
{
    pleach_status status = PLEACH_OK;
    const plc_params_layout *layout = model->layout;

    TRY(plc_alloc(ctx, (size_t)layout->n_floats, sizeof *model->weights, &model->weights));
    for (int i = 0; i < layout->n_places; i++) {
        const plc_param_place *place = &layout->places[i];
        const plc_named_tensor *tensor = NULL;
        char name[PLC_PARAM_NAME_MAX];

        plc_param_name(&model->graph->nodes[place->node], place->param, name, sizeof name);
        tensor = plc_tensors_find(file, name);
        if (!tensor)
            FAIL(ctx, PLEACH_EINPUT, "tensor '%s', which its graph needs, is missing", name);
        TRY(check_shape(ctx, tensor, param_at(model->graph, place)));
        memcpy(model->weights + place->offset, tensor->data, tensor->count * sizeof(float));
        is_param[tensor - file->items] = true;
    }
done:
    return status;
}

// Leaves in `file` only the state, under its own names, and the writer's metadata.
static pleach_status keep_extra(pleach_ctx *ctx, plc_tensors *file, const bool *is_param)
{
    size_t n = 0;

    for (size_t i = 0; i < file->n; i++)
        if (!is_param[i] && !is_state(file->items[i].name))
            return plc_fail(ctx, PLEACH_EINPUT, "tensor '%s' is no parameter of its graph",
                            file->items[i].name);
    for (size_t i = 0; i < file->n; i++) {
        char *name = file->items[i].name;

        if (is_param[i]) {
            free(name);
            continue;
        }
        memmove(name, name + STATE_PREFIX_LENGTH, strlen(name) - STATE_PREFIX_LENGTH + 1);
        file->items[n++] = file->items[i];
    }
    file->n = n;
    n = 0;
    for (size_t i = 0; i < file->n_metadata; i++) {
        const char *key = file->metadata[i].key;

        if (strcmp(key, GRAPH_KEY) == 0 || strcmp(key, FORMAT_KEY) == 0) {
            free(file->metadata[i].key);
            free(file->metadata[i].value);
        } else {
            file->metadata[n++] = file->metadata[i];
        }
    }
    file->n_metadata = n;
    return PLEACH_OK;
}

static pleach_status read_content(pleach_ctx *ctx, plc_tensors *file, plc_model_file *model)
{
    pleach_status status = PLEACH_OK;
    bool *is_param = NULL;

    TRY(plc_alloc(ctx, file->n, sizeof *is_param, &is_param));
    TRY(read_graph(ctx, file, model));
    TRY(copy_params(ctx, file, model, is_param));
    TRY(keep_extra(ctx, file, is_param));
done:
    free(is_param);
    return status;
}

bool plc_is_onnx_path(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot && strcmp(dot, ".onnx") == 0;
}

pleach_status plc_model_file_read(pleach_ctx *ctx, const char *path, plc_model_file *model)
{
    pleach_status status = PLEACH_OK;

    if (plc_is_onnx_path(path))
        return plc_onnx_read(ctx, path, model);
    TRY(plc_tensor_file_read(ctx, path, &model->extra));
    status = read_content(ctx, &model->extra, model);
    if (status != PLEACH_OK)
        plc_fail_in(ctx, status, "%s", path);
done:
    if (status != PLEACH_OK)
        plc_model_file_finish(model);
    return status;
}

bool plc_model_is_file(const char *model)
{
    return strpbrk(model, "./") != NULL || (plc_file_exists(model) && !plc_is_folder(model));
}

void plc_model_file_finish(plc_model_file *model)
{
    pleach_graph_destroy(&model->graph);
    plc_params_layout_destroy(&model->layout);
    free(model->weights);
    plc_tensors_finish(&model->extra);
    *model = (plc_model_file){0};
}
