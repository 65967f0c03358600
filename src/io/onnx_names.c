// Reading ONNX: names of values, which of them the output needs, and what the file says of its input.
#include <io/onnx_reader.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAME_BYTES = 1000 };

// Names go into error texts and other files: printable, and not without end.
pleach_status plc_onnx_check_name(plc_onnx_reader *r, const char *name)
{
    if (!name)
        return PLEACH_OK;
    if (strlen(name) > MAX_NAME_BYTES)
        return plc_fail(r->ctx, PLEACH_EINPUT, "a name of %zu bytes; at most %d are read",
                        strlen(name), MAX_NAME_BYTES);
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return plc_fail(r->ctx, PLEACH_EINPUT,
                            "a name has control character 0x%02x at byte %td; rename it",
                            (unsigned)(unsigned char)*c, c - name);
    return PLEACH_OK;
}

pleach_status plc_onnx_check_names(plc_onnx_reader *r)
{
    pleach_status status = PLEACH_OK;

    for (size_t i = 0; i < r->file->n_node; i++) {
        const Onnx__NodeProto *n = r->file->node[i];

        TRY(plc_onnx_check_name(r, n->name));
        TRY(plc_onnx_check_name(r, n->op_type));
        TRY(plc_onnx_check_name(r, n->domain));
        for (size_t j = 0; j < n->n_input; j++)
            TRY(plc_onnx_check_name(r, n->input[j]));
        for (size_t j = 0; j < n->n_output; j++)
            TRY(plc_onnx_check_name(r, n->output[j]));
        for (size_t j = 0; j < n->n_attribute; j++)
            TRY(plc_onnx_check_name(r, n->attribute[j]->name));
    }
    for (size_t i = 0; i < r->file->n_initializer; i++)
        TRY(plc_onnx_check_name(r, r->file->initializer[i]->name));
    for (size_t i = 0; i < r->file->n_input; i++)
        TRY(plc_onnx_check_name(r, r->file->input[i]->name));
    for (size_t i = 0; i < r->file->n_output; i++)
        TRY(plc_onnx_check_name(r, r->file->output[i]->name));
done:
    return status;
}

static int compare_values(const void *a, const void *b)
{
    return strcmp(((const plc_onnx_value *)a)->name, ((const plc_onnx_value *)b)->name);
}

static void sort_values(plc_onnx_reader *r)
{
    qsort(r->values, r->n_values, sizeof *r->values, compare_values);
}

// The table of names, with room for all and the parameters in it.
pleach_status plc_onnx_name_parameters(plc_onnx_reader *r)
{
    pleach_status status = PLEACH_OK;
    const Onnx__GraphProto *file = r->file;
    size_t n = 1 + file->n_initializer;

    for (size_t i = 0; i < file->n_node; i++)
        n += file->node[i]->n_output;
    TRY(plc_onnx_take(r->ctx, &r->arena, n, sizeof *r->values, &r->values));
    for (size_t i = 0; i < file->n_initializer; i++)
        r->values[r->n_values++] =
            (plc_onnx_value){.name = plc_onnx_text(file->initializer[i]->name), .producer = -1};
    sort_values(r);
done:
    return status;
}

// The input and the outputs of nodes too; each name must be given once.
pleach_status plc_onnx_name_values(plc_onnx_reader *r, const char *input)
{
    const Onnx__GraphProto *file = r->file;

    r->values[r->n_values++] = (plc_onnx_value){.name = input, .producer = -1};
    for (size_t i = 0; i < file->n_node; i++)
        for (size_t j = 0; j < file->node[i]->n_output; j++)
            if (*plc_onnx_text(file->node[i]->output[j]))
                r->values[r->n_values++] =
                    (plc_onnx_value){.name = file->node[i]->output[j], .producer = (int)i};
    sort_values(r);
    for (size_t i = 1; i < r->n_values; i++)
        if (strcmp(r->values[i - 1].name, r->values[i].name) == 0)
            return plc_fail(r->ctx, PLEACH_EINPUT,
                            "two values are named '%s'; names must be unique", r->values[i].name);
    return PLEACH_OK;
}

// Marks what the output needs. Nodes come in order, so one pass from the last to the first does.
pleach_status plc_onnx_mark_live(plc_onnx_reader *r, const char *output)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *last = plc_onnx_find(r, output);

    if (!last || last->producer < 0)
        FAIL(r->ctx, PLEACH_EINPUT, "no node gives its output '%s'", output);
    TRY(plc_onnx_take(r->ctx, &r->arena, r->file->n_node, sizeof *r->live, &r->live));
    TRY(plc_onnx_take(r->ctx, &r->arena, r->file->n_node, sizeof *r->done, &r->done));
    r->live[last->producer] = true;
    for (int i = (int)r->file->n_node - 1; i >= 0; i--) {
        const Onnx__NodeProto *n = r->file->node[i];

        for (size_t j = 0; r->live[i] && j < n->n_input; j++) {
            plc_onnx_value *value =
                *plc_onnx_text(n->input[j]) ? plc_onnx_find(r, n->input[j]) : NULL;

            if (!*plc_onnx_text(n->input[j]))
                continue;
            if (!value)
                TRY(plc_onnx_fail(r, n, "no node, input or parameter is named '%s'", n->input[j]));
            if (value->producer >= i)
                TRY(plc_onnx_fail(
                    r, n,
                    "its input '%s' comes of a later node; nodes must stand in order, "
                    "without a cycle",
                    n->input[j]));
            value->n_readers++;
            value->reader = i;
            if (value->producer >= 0)
                r->live[value->producer] = true;
        }
    }
done:
    return status;
}

static const char *dim_text(const Onnx__TensorShapeProto__Dimension *dim, char text[24])
{
    if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
        snprintf(text, 24, "%lld", (long long)dim->dim_value);
    else
        snprintf(text, 24, "?");
    return text;
}

// Elements of a type as the schema calls it, for errors.
static const char *type_name(int type)
{
    static const char *const names[] = {"an unknown type", "float",  "uint8",  "int8",  "uint16",
                                        "int16",           "int32",  "int64",  "text",  "boolean",
                                        "float16",         "double", "uint32", "uint64"};

    return names[type > 0 && type < (int)(sizeof names / sizeof *names) ? type : 0];
}

// Its description as floats of some dimensions.
static pleach_status find_dims(plc_onnx_reader *r, const Onnx__ValueInfoProto *input,
                               const Onnx__TensorShapeProto **dims)
{
    const Onnx__TypeProto__Tensor *tensor =
        input->type && input->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE
            ? input->type->tensor_type
            : NULL;
    const char *name = plc_onnx_text(input->name);

    *dims = tensor ? tensor->shape : NULL;
    if (tensor && tensor->elem_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT)
        return plc_fail(r->ctx, PLEACH_EINPUT,
                        "its input '%s' is of %s; networks of float are read", name,
                        type_name(tensor->elem_type));
    if (!*dims || (*dims)->n_dim < (size_t)plc_onnx_first_dim(r) + 1 ||
        (*dims)->n_dim > PLC_ONNX_MAX_DIMS)
        return plc_fail(r->ctx, PLEACH_EINPUT,
                        "its input '%s' is not described as float images [N][C][H][W]", name);
    return PLEACH_OK;
}

pleach_status plc_onnx_read_shape(plc_onnx_reader *r, const Onnx__ValueInfoProto *input,
                                  int64_t dims[PLC_ONNX_MAX_DIMS], int *n_dims)
{
    pleach_status status = PLEACH_OK;
    const Onnx__TensorShapeProto *described = NULL;
    const int first = plc_onnx_first_dim(r);
    int64_t count = 1;

    TRY(find_dims(r, input, &described));
    *n_dims = (int)described->n_dim;
    for (int i = 0; i < *n_dims; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = described->dim[i];
        const bool known =
            dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE &&
            dim->dim_value >= 1 && dim->dim_value <= INT_MAX;
        char text[24];

        dims[i] = known ? dim->dim_value : 0;
        if (i < first) {
            r->n_file_images = dims[i];
            dims[i] = PLC_ONNX_BATCH;
            continue;
        }
        count *= dims[i]; // below 2^62: checked after every factor
        if (count > INT_MAX)
            return plc_fail(r->ctx, PLEACH_EINPUT,
                            "its input '%s' has more than %d values an image; use smaller images",
                            plc_onnx_text(input->name), INT_MAX);
        if (!known)
            return plc_fail(
                r->ctx, PLEACH_EINPUT,
                "dimension %d of its input '%s' is '%s'; channels, height and width must "
                "be numbers: export it with fixed ones, or run python3 -m "
                "onnxruntime.tools.make_dynamic_shape_fixed",
                i, plc_onnx_text(input->name), dim_text(dim, text));
    }
done:
    return status;
}

// The one input that is no parameter (older files list parameters as inputs too).
pleach_status plc_onnx_find_input(plc_onnx_reader *r, const Onnx__ValueInfoProto **input)
{
    pleach_status status = PLEACH_OK;

    *input = NULL;
    for (size_t i = 0; i < r->file->n_input; i++) {
        const Onnx__ValueInfoProto *candidate = r->file->input[i];

        if (plc_onnx_find(r, plc_onnx_text(candidate->name)))
            continue;
        if (*input)
            FAIL(r->ctx, PLEACH_EINPUT,
                 "it has inputs '%s' and '%s'; a network of one input is expected",
                 plc_onnx_text((*input)->name), plc_onnx_text(candidate->name));
        *input = candidate;
    }
    if (!*input || !*plc_onnx_text((*input)->name))
        FAIL(r->ctx, PLEACH_EINPUT, "it has no input with a name");
done:
    return status;
}
