// Reading ONNX: the values of a graph by name, and constants.
#include <io/onnx_reader.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <base/half.h>

static const char *const kind_names[] = {"not computed before it", "computed from images",
                                         "floats of the file", "integers"};

static int compare_with_name(const void *name, const void *value)
{
    return strcmp(name, ((const plc_onnx_value *)value)->name);
}

plc_onnx_value *plc_onnx_find(const plc_onnx_reader *r, const char *name)
{
    return bsearch(name, r->values, r->n_values, sizeof *r->values, compare_with_name);
}

bool plc_onnx_has_input(const Onnx__NodeProto *n, int i)
{
    return (size_t)i < n->n_input && *plc_onnx_text(n->input[i]);
}

plc_onnx_kind plc_onnx_input_kind(const plc_onnx_reader *r, const Onnx__NodeProto *n, int i)
{
    const plc_onnx_value *value = plc_onnx_has_input(n, i) ? plc_onnx_find(r, n->input[i]) : NULL;

    return value ? value->kind : PLC_ONNX_UNKNOWN;
}

static pleach_status input_of_kind(plc_onnx_reader *r, const Onnx__NodeProto *n, int i,
                                   plc_onnx_kind kind, const plc_onnx_value **value)
{
    *value = plc_onnx_has_input(n, i) ? plc_onnx_find(r, n->input[i]) : NULL;
    if (!*value)
        return plc_onnx_fail(r, n, "input %d is missing", i);
    if ((*value)->kind != kind)
        return plc_onnx_fail(r, n, "input %d, '%s', is %s, expected it to be %s", i, n->input[i],
                             kind_names[(*value)->kind], kind_names[kind]);
    return PLEACH_OK;
}

pleach_status plc_onnx_input_node(plc_onnx_reader *r, const Onnx__NodeProto *n, int i, int rank,
                                  const plc_onnx_value **value)
{
    pleach_status status = PLEACH_OK;

    TRY(input_of_kind(r, n, i, PLC_ONNX_NODE, value));
    if (rank && (*value)->n_dims != rank)
        TRY(plc_onnx_fail(r, n, "input '%s' has %d dimensions, expected %d", n->input[i],
                          (*value)->n_dims, rank));
done:
    return status;
}

pleach_status plc_onnx_input_floats(plc_onnx_reader *r, const Onnx__NodeProto *n, int i,
                                    const plc_onnx_value **value)
{
    return input_of_kind(r, n, i, PLC_ONNX_FLOATS, value);
}

pleach_status plc_onnx_input_ints(plc_onnx_reader *r, const Onnx__NodeProto *n, int i,
                                  const plc_onnx_value **value)
{
    return input_of_kind(r, n, i, PLC_ONNX_INTS, value);
}

void plc_onnx_set_output(plc_onnx_reader *r, const Onnx__NodeProto *n, int i, int node,
                         const int64_t *dims, int n_dims)
{
    plc_onnx_value *value = plc_onnx_find(r, n->output[i]);

    value->kind = PLC_ONNX_NODE;
    value->node = node;
    value->n_dims = n_dims;
    memcpy(value->dims, dims, (size_t)n_dims * sizeof *dims);
}

void plc_onnx_set_node(plc_onnx_reader *r, const Onnx__NodeProto *n, int node, const int64_t *dims,
                       int n_dims)
{
    plc_onnx_set_output(r, n, 0, node, dims, n_dims);
}

void plc_onnx_set_ints(plc_onnx_reader *r, const Onnx__NodeProto *n, const int64_t *ints,
                       size_t count, int n_dims)
{
    plc_onnx_value *value = plc_onnx_find(r, n->output[0]);

    value->kind = PLC_ONNX_INTS;
    value->ints = ints;
    value->count = count;
    value->n_dims = n_dims;
    value->dims[0] = (int64_t)count;
}

void plc_onnx_set_same(plc_onnx_reader *r, const Onnx__NodeProto *n, const plc_onnx_value *from)
{
    plc_onnx_value *value = plc_onnx_find(r, n->output[0]);
    plc_onnx_value same = *from;

    same.name = value->name;
    same.producer = value->producer;
    same.n_readers = value->n_readers;
    same.reader = value->reader;
    *value = same;
}

const plc_shape *plc_onnx_shape(const plc_onnx_reader *r, const plc_onnx_value *value)
{
    return &r->graph->nodes[value->node].shape;
}

static pleach_status read_dims(plc_onnx_reader *r, const Onnx__TensorProto *tensor,
                               plc_onnx_value *value)
{
    const char *name = plc_onnx_text(tensor->name);
    size_t count = 1;

    if (tensor->n_dims > PLC_ONNX_MAX_DIMS)
        return plc_fail(r->ctx, PLEACH_EINPUT,
                        "tensor '%s' has %zu dimensions; at most %d are read", name, tensor->n_dims,
                        PLC_ONNX_MAX_DIMS);
    value->n_dims = (int)tensor->n_dims;
    for (int i = 0; i < value->n_dims; i++) {
        value->dims[i] = tensor->dims[i];
        if (value->dims[i] < 0 || value->dims[i] > INT_MAX)
            return plc_fail(r->ctx, PLEACH_EINPUT, "tensor '%s': dimension %d is %lld", name, i,
                            (long long)value->dims[i]);
        count *= (size_t)value->dims[i]; // below 2^62: checked after every factor
        if (count > INT_MAX)
            return plc_fail(r->ctx, PLEACH_EINPUT, "tensor '%s' has more than %d elements", name,
                            INT_MAX);
    }
    value->count = count;
    return PLEACH_OK;
}

static pleach_status check_place(plc_onnx_reader *r, const Onnx__TensorProto *tensor)
{
    if (tensor->n_external_data ||
        tensor->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        return plc_fail(
            r->ctx, PLEACH_EINPUT,
            "tensor '%s' lies in another file, which is not read; write the model as one file: in "
            "Python onnx.save(onnx.load(NAME), NEW_NAME)",
            plc_onnx_text(tensor->name));
    if (tensor->segment)
        return plc_fail(r->ctx, PLEACH_EINPUT, "tensor '%s' is a part of one; write it whole",
                        plc_onnx_text(tensor->name));
    return PLEACH_OK;
}

// The tensor's elements as they lie: in raw_data, or in the field of their type (`typed`, n_typed).
static pleach_status find_data(plc_onnx_reader *r, const Onnx__TensorProto *tensor, size_t count,
                               size_t element_bytes, const void *typed, size_t n_typed,
                               const void **data)
{
    const char *name = plc_onnx_text(tensor->name);

    if (tensor->has_raw_data && tensor->raw_data.len != count * element_bytes)
        return plc_fail(r->ctx, PLEACH_EINPUT,
                        "tensor '%s' has %zu elements of %zu bytes, but %zu bytes of data", name,
                        count, element_bytes, tensor->raw_data.len);
    if (!tensor->has_raw_data && n_typed != count)
        return plc_fail(r->ctx, PLEACH_EINPUT, "tensor '%s' has %zu elements, but data of %zu",
                        name, count, n_typed);
    *data = tensor->has_raw_data ? (const void *)tensor->raw_data.data : typed;
    return PLEACH_OK;
}

// Halfs stand in raw_data as two bytes each, in int32_data as integers.
static float half_at(const Onnx__TensorProto *tensor, const void *data, size_t i)
{
    uint16_t bits = 0;

    if (tensor->has_raw_data)
        memcpy(&bits, (const char *)data + i * sizeof bits, sizeof bits);
    else
        bits = (uint16_t)((const int32_t *)data)[i];
    return plc_half_to_float(bits);
}

static pleach_status take_floats(plc_onnx_reader *r, size_t count, float **floats)
{
    return plc_onnx_take(r->ctx, &r->arena, count, sizeof **floats, floats);
}

// Memory is taken once the data is known to be there.
static pleach_status read_floats(plc_onnx_reader *r, const Onnx__TensorProto *tensor,
                                 plc_onnx_value *value)
{
    pleach_status status = PLEACH_OK;
    const void *data = NULL;
    float *floats = NULL;

    switch (tensor->data_type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
        TRY(find_data(r, tensor, value->count, sizeof(float), tensor->float_data,
                      tensor->n_float_data, &data));
        TRY(take_floats(r, value->count, &floats));
        if (value->count)
            memcpy(floats, data, value->count * sizeof *floats);
        break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
        TRY(find_data(r, tensor, value->count, sizeof(double), tensor->double_data,
                      tensor->n_double_data, &data));
        TRY(take_floats(r, value->count, &floats));
        for (size_t i = 0; i < value->count; i++) {
            double number = 0;

            memcpy(&number, (const char *)data + i * sizeof number, sizeof number);
            floats[i] = (float)number;
        }
        break;
    default:
        TRY(find_data(r, tensor, value->count, sizeof(uint16_t), tensor->int32_data,
                      tensor->n_int32_data, &data));
        TRY(take_floats(r, value->count, &floats));
        for (size_t i = 0; i < value->count; i++)
            floats[i] = half_at(tensor, data, i);
    }
    value->kind = PLC_ONNX_FLOATS;
    value->floats = floats;
done:
    return status;
}

// An integer of a file. The least one means something else here, and no size is that small.
static int64_t from_file(int64_t given)
{
    return given == PLC_ONNX_BATCH ? given + 1 : given;
}

pleach_status plc_onnx_take_ints(plc_onnx_reader *r, const int64_t *given, size_t n,
                                 const int64_t **ints)
{
    pleach_status status = PLEACH_OK;
    int64_t *made = NULL;

    TRY(plc_onnx_take(r->ctx, &r->arena, n, sizeof *made, &made));
    for (size_t i = 0; i < n; i++)
        made[i] = from_file(given[i]);
    *ints = made;
done:
    return status;
}

// Integers of `bytes` bytes; those of fewer than 8 stand in int32_data where there is no raw_data.
static pleach_status read_ints(plc_onnx_reader *r, const Onnx__TensorProto *tensor, size_t bytes,
                               plc_onnx_value *value)
{
    pleach_status status = PLEACH_OK;
    const bool wide = bytes == sizeof(int64_t);
    const size_t step = tensor->has_raw_data || wide ? bytes : sizeof(int32_t);
    const void *data = NULL;
    int64_t *ints = NULL;

    TRY(find_data(r, tensor, value->count, bytes,
                  wide ? (const void *)tensor->int64_data : (const void *)tensor->int32_data,
                  wide ? tensor->n_int64_data : tensor->n_int32_data, &data));
    TRY(plc_onnx_take(r->ctx, &r->arena, value->count, sizeof *ints, &ints));
    for (size_t i = 0; i < value->count; i++) {
        const char *from = (const char *)data + i * step;
        int32_t narrow = 0;

        if (step == sizeof(int64_t))
            memcpy(&ints[i], from, sizeof *ints);
        else if (step == sizeof narrow)
            memcpy(&narrow, from, sizeof narrow);
        else
            narrow = *(const signed char *)from;
        if (step != sizeof(int64_t))
            ints[i] = narrow;
        ints[i] = from_file(ints[i]);
    }
    value->kind = PLC_ONNX_INTS;
    value->ints = ints;
done:
    return status;
}

pleach_status plc_onnx_read_tensor(plc_onnx_reader *r, const Onnx__TensorProto *tensor,
                                   plc_onnx_value *value)
{
    pleach_status status = PLEACH_OK;

    TRY(check_place(r, tensor));
    TRY(read_dims(r, tensor, value));
    switch (tensor->data_type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
        return read_floats(r, tensor, value);
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
        return read_ints(r, tensor, sizeof(int64_t), value);
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
        return read_ints(r, tensor, sizeof(int32_t), value);
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT8:
    case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL:
        return read_ints(r, tensor, sizeof(int8_t), value);
    default:
        FAIL(r->ctx, PLEACH_EINPUT,
             "tensor '%s' has elements of type %d; float, double, float16, int64, int32, "
             "int8 and bool are read",
             plc_onnx_text(tensor->name), (int)tensor->data_type);
    }
done:
    return status;
}
