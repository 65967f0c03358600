// Reading ONNX: attributes of nodes.
#include <io/onnx_reader.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>

const Onnx__AttributeProto *plc_onnx_attr(const Onnx__NodeProto *n, const char *name)
{
    for (size_t i = 0; i < n->n_attribute; i++)
        if (strcmp(plc_onnx_text(n->attribute[i]->name), name) == 0)
            return n->attribute[i];
    return NULL;
}

pleach_status plc_onnx_int(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *name,
                           int64_t missing, int64_t *value)
{
    const Onnx__AttributeProto *attr = plc_onnx_attr(n, name);

    *value = attr ? attr->i : missing;
    return !attr || attr->has_i ? PLEACH_OK
                                : plc_onnx_fail(r, n, "attribute '%s' is no integer", name);
}

pleach_status plc_onnx_float(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *name,
                             float missing, float *value)
{
    const Onnx__AttributeProto *attr = plc_onnx_attr(n, name);

    *value = attr ? attr->f : missing;
    return !attr || attr->has_f ? PLEACH_OK
                                : plc_onnx_fail(r, n, "attribute '%s' is no float", name);
}

pleach_status plc_onnx_string(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *name,
                              const char *missing, char *value, size_t size)
{
    const Onnx__AttributeProto *attr = plc_onnx_attr(n, name);

    snprintf(value, size, "%s", missing);
    if (!attr)
        return PLEACH_OK;
    if (!attr->has_s || attr->s.len >= size)
        return plc_onnx_fail(r, n, "attribute '%s' is no text of fewer than %zu bytes", name, size);
    if (attr->s.len > 0) // an empty text has no data
        memcpy(value, attr->s.data, attr->s.len);
    value[attr->s.len] = '\0';
    return PLEACH_OK;
}

pleach_status plc_onnx_sizes(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *name,
                             int count, int missing, int *values)
{
    const Onnx__AttributeProto *attr = plc_onnx_attr(n, name);

    for (int i = 0; i < count; i++)
        values[i] = missing;
    if (!attr)
        return PLEACH_OK;
    if (attr->n_ints != (size_t)count)
        return plc_onnx_fail(
            r, n, "attribute '%s' has %zu integers, expected %d (for two-dimensional images)", name,
            attr->n_ints, count);
    for (int i = 0; i < count; i++) {
        if (attr->ints[i] < 0 || attr->ints[i] > INT_MAX)
            return plc_onnx_fail(r, n, "attribute '%s' holds %lld; 0 to %d can be read", name,
                                 (long long)attr->ints[i], INT_MAX);
        values[i] = (int)attr->ints[i];
    }
    return PLEACH_OK;
}

pleach_status plc_onnx_axes(plc_onnx_reader *r, const Onnx__NodeProto *n, int input, int rank,
                            int axes[PLC_ONNX_MAX_DIMS], int *n_axes)
{
    pleach_status status = PLEACH_OK;
    const Onnx__AttributeProto *attr = plc_onnx_attr(n, "axes");
    const int64_t *list = attr ? attr->ints : NULL;
    size_t count = attr ? attr->n_ints : 0;
    const plc_onnx_value *value = NULL;

    *n_axes = 0;
    if (!attr && plc_onnx_has_input(n, input)) {
        TRY(plc_onnx_input_ints(r, n, input, &value));
        list = value->ints;
        count = value->count;
    }
    if (count > PLC_ONNX_MAX_DIMS)
        TRY(plc_onnx_fail(r, n, "%zu axes; at most %d are read", count, PLC_ONNX_MAX_DIMS));
    for (size_t i = 0; i < count; i++) {
        const int64_t axis = list[i] < 0 && list[i] >= -rank ? list[i] + rank : list[i];

        if (axis < 0 || axis >= rank)
            TRY(plc_onnx_fail(r, n, "axis %lld of a value with %d dimensions", (long long)list[i],
                              rank));
        axes[i] = (int)axis;
    }
    *n_axes = (int)count;
done:
    return status;
}
