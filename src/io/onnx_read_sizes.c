// Reading ONNX: images of other sizes, padded or interpolated.
#include <io/onnx_reader.h>

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

static int pad_mode(const char *mode)
{
    return strcmp(mode, "edge") == 0       ? PLC_PAD_EDGE
           : strcmp(mode, "reflect") == 0  ? PLC_PAD_REFLECT
           : strcmp(mode, "constant") == 0 ? PLC_PAD_VALUE
                                           : -1;
}

// The value of a Pad: an attribute before opset 11, then an input.
static pleach_status pad_value(plc_onnx_reader *r, const Onnx__NodeProto *n, float *value)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *constant = NULL;

    TRY(plc_onnx_float(r, n, "value", 0, value));
    if (!plc_onnx_has_input(n, 2))
        return status;
    TRY(plc_onnx_input_floats(r, n, 2, &constant));
    if (constant->count != 1)
        TRY(plc_onnx_fail(r, n, "its value has %zu elements, expected one", constant->count));
    *value = constant->floats[0];
done:
    return status;
}

// Pads of all dimensions, first those in front: an attribute before opset 11, then an input, since opset 18 of
// chosen axes. Into `pads` by dimension, in front and behind.
static pleach_status read_pads(plc_onnx_reader *r, const Onnx__NodeProto *n, int rank,
                               int64_t pads[PLC_ONNX_MAX_DIMS][2])
{
    pleach_status status = PLEACH_OK;
    const Onnx__AttributeProto *attr = plc_onnx_attr(n, "pads");
    const plc_onnx_value *given = NULL;
    const int64_t *list = attr ? attr->ints : NULL;
    size_t count = attr ? attr->n_ints : 0;
    int axes[PLC_ONNX_MAX_DIMS], n_axes = 0;

    TRY(plc_onnx_axes(r, n, 3, rank, axes, &n_axes));
    for (int i = 0; n_axes < rank && !plc_onnx_has_input(n, 3) && i < rank; i++)
        axes[n_axes++] = i;
    if (!attr) {
        TRY(plc_onnx_input_ints(r, n, 1, &given));
        list = given->ints;
        count = given->count;
    }
    if (count != 2 * (size_t)n_axes)
        TRY(plc_onnx_fail(r, n, "%zu pads for %d dimensions; two for each are expected", count,
                          n_axes));
    memset(pads, 0, PLC_ONNX_MAX_DIMS * sizeof *pads);
    for (int i = 0; i < n_axes; i++)
        for (int side = 0; side < 2; side++) {
            const int64_t pad = list[side * n_axes + i];

            if (pad < 0 || pad > INT_MAX || (pad && axes[i] < plc_onnx_first_dim(r)))
                TRY(plc_onnx_fail(r, n, "pad %d is %lld; nothing is cut, images are not padded",
                                  side * n_axes + i, (long long)pad));
            pads[axes[i]][side] = pad;
        }
done:
    return status;
}

// At most two neighbouring dimensions are padded: they become the rows and columns.
static pleach_status padded_dims(plc_onnx_reader *r, const Onnx__NodeProto *n, int rank,
                                 int64_t pads[PLC_ONNX_MAX_DIMS][2], int *row_dim)
{
    int first = rank, last = 0;

    for (int i = 0; i < rank; i++)
        if (pads[i][0] || pads[i][1]) {
            first = i < first ? i : first;
            last = i;
        }
    *row_dim = rank - plc_onnx_first_dim(r) > 1 ? rank - 2 : rank - 1;
    if (first < *row_dim)
        *row_dim = first;
    if (last > *row_dim + 1)
        return plc_onnx_fail(r, n, "dimensions %d to %d are padded; the last two can be", first,
                             last);
    return PLEACH_OK;
}

// Rows, or rows and columns: what lies in front of them are channels.
pleach_status plc_onnx_pad(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL;
    int64_t pads[PLC_ONNX_MAX_DIMS][2], dims[PLC_ONNX_MAX_DIMS];
    char mode[16];
    plc_attrs attrs = {0};
    int node = 0, row = 0;

    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    TRY(plc_onnx_string(r, n, "mode", "constant", mode, sizeof mode));
    attrs.mode = pad_mode(mode);
    TRY(pad_value(r, n, &attrs.alpha));
    if (attrs.mode < 0 || !isfinite(attrs.alpha))
        TRY(plc_onnx_fail(r, n, "mode '%s' with %g; constant, edge and reflect are read", mode,
                          (double)attrs.alpha));
    TRY(read_pads(r, n, x->n_dims, pads));
    TRY(padded_dims(r, n, x->n_dims, pads, &row));
    const bool has_columns = row + 1 < x->n_dims;
    if (row + 2 < x->n_dims)
        TRY(plc_onnx_fail(r, n, "dimension %d is padded; the last two can be", row));
    TRY(plc_onnx_group(r, n, x, row - plc_onnx_first_dim(r), 1, &node));
    memcpy(dims, x->dims, sizeof dims);
    for (int i = 0; i < (has_columns ? 2 : 1); i++) {
        attrs.pad[i] = (int)pads[row + i][0];
        attrs.pad_after[i] = (int)pads[row + i][1];
        dims[row + i] += pads[row + i][0] + pads[row + i][1];
    }
    TRY(plc_onnx_add(r, n, "pad", "", &(int){node}, 1, &attrs, &node));
    plc_onnx_set_node(r, n, node, dims, x->n_dims);
done:
    return status;
}

// What a Resize says of each of the last two dimensions.
typedef struct resized {
    double scale;
    int64_t in, out;
} resized;

// What `in` pixels become by a scale: the product of floats rounded down, as ONNX Runtime has it, and PyTorch, where
// the scale came from: 10 by 0.7 are 7. ONNX's reference multiplies the float, a little less than 0.7, exactly.
static int64_t scaled(plc_onnx_reader *r, const Onnx__NodeProto *n, int64_t in, float scale)
{
    const float factor = fminf(fmaxf(scale, 0), 1e6f);
    const int64_t out = (int64_t)floorf((float)in * factor);
    const int64_t in_double = (int64_t)floor((double)in * (double)factor);

    if (out != in_double)
        plc_log(r->ctx, PLEACH_LOG_WARNING,
                "%s '%s': %lld pixels times %g are %lld, as in PyTorch and ONNX Runtime; ONNX's "
                "reference rounds to %lld",
                n->op_type, plc_onnx_text(n->name), (long long)in, (double)scale, (long long)out,
                (long long)in_double);
    return out;
}

// Whether a scale is what a float holds of a quotient of sizes, or the next one, as was once written: then those are
// what places follow from.
static bool is_quotient(double scale, int64_t in, int64_t out)
{
    return fabs(scale * (double)in - (double)out) < FLT_EPSILON * (double)out;
}

// Scales of all dimensions (or of chosen axes), or else their sizes, into the last two; others must stay.
static pleach_status set_dims(plc_onnx_reader *r, const Onnx__NodeProto *n, const plc_onnx_value *x,
                              const plc_onnx_value *scales, const plc_onnx_value *sizes,
                              resized found[2])
{
    pleach_status status = PLEACH_OK;
    const size_t count = scales ? scales->count : sizes->count;
    int axes[PLC_ONNX_MAX_DIMS], n_axes = 0;

    TRY(plc_onnx_axes(r, n, -1, x->n_dims, axes, &n_axes));
    for (int i = 0; !plc_onnx_attr(n, "axes") && i < x->n_dims; i++)
        axes[n_axes++] = i;
    if (count != (size_t)n_axes)
        TRY(plc_onnx_fail(r, n, "%zu sizes or scales for %d dimensions", count, n_axes));
    for (int i = 0; i < 2; i++)
        found[i] = (resized){1, x->dims[x->n_dims - 2 + i], x->dims[x->n_dims - 2 + i]};
    for (int i = 0; i < n_axes; i++) {
        const int64_t in = x->dims[axes[i]];
        const bool is_image = axes[i] >= x->n_dims - 2;
        if (sizes && axes[i] < plc_onnx_first_dim(r))
            continue;
        double scale = scales ? (double)scales->floats[i] : 0;
        const int64_t out = sizes      ? sizes->ints[i]
                            : is_image ? scaled(r, n, in, scales->floats[i])
                                       : in;

        if (sizes || is_quotient(scale, in, out))
            scale = out == in ? 1 : (double)out / (double)in;
        if (!is_image && (scale < 1 || scale > 1))
            TRY(plc_onnx_fail(r, n, "dimension %d has scale %g; the last two change their size",
                              axes[i], scale));
        if (is_image && (!(scale > 0) || out < 1 || out > INT_MAX))
            TRY(plc_onnx_fail(r, n, "dimension %d of %lld has scale %g", axes[i], (long long)in,
                              scale));
        if (is_image)
            found[axes[i] - x->n_dims + 2] = (resized){scale, in, out};
    }
done:
    return status;
}

// Where output positions lie in the input: scale i + shift.
static pleach_status set_places(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *where,
                                const resized dims[2], plc_attrs *a)
{
    for (int i = 0; i < 2; i++) {
        const double step = 1 / dims[i].scale, out = (double)dims[i].out;
        double scale = step, shift = step / 2 - 0.5;

        if (strcmp(where, "asymmetric") == 0) {
            shift = 0;
        } else if (strcmp(where, "align_corners") == 0) {
            if (fabs(dims[i].scale * (double)dims[i].in - out) > 1e-3)
                return plc_onnx_fail(r, n,
                                     "align_corners of %lld pixels times %g, which is no whole "
                                     "number: ONNX and those who run it differ there",
                                     (long long)dims[i].in, dims[i].scale);
            scale = out > 1 ? (double)(dims[i].in - 1) / (out - 1) : 0;
            shift = 0;
        } else if (strcmp(where, "pytorch_half_pixel") == 0) {
            scale = out > 1 ? scale : 0;
            shift = out > 1 ? shift : 0;
        } else if (strcmp(where, "half_pixel_symmetric") == 0) {
            const double wide = dims[i].scale * (double)dims[i].in;
            shift += (double)dims[i].in / 2 * (1 - out / wide);
        } else if (strcmp(where, "half_pixel") != 0) {
            return plc_onnx_fail(r, n, "coordinate_transformation_mode '%s' is not read", where);
        }
        a->scale[i] = (float)scale;
        a->shift[i] = (float)shift;
    }
    return PLEACH_OK;
}

static pleach_status set_mode(plc_onnx_reader *r, const Onnx__NodeProto *n, const char *mode,
                              const char *nearest, plc_attrs *a)
{
    const bool prefers = strncmp(nearest, "round_prefer_", 13) == 0;

    if (strcmp(mode, "linear") == 0) {
        a->mode = PLC_RESIZE_LINEAR;
    } else if (strcmp(mode, "cubic") == 0) {
        a->mode = PLC_RESIZE_CUBIC;
    } else if (strcmp(mode, "nearest") == 0) {
        // The nearest is the pixel before half a pixel further, or the one behind half a pixel back.
        a->mode = strstr(nearest, prefers ? "floor" : "ceil") ? PLC_RESIZE_CEIL : PLC_RESIZE_FLOOR;
        for (int i = 0; prefers && i < 2; i++)
            a->shift[i] += a->mode == PLC_RESIZE_CEIL ? -0.5f : 0.5f;
    } else {
        return plc_onnx_fail(r, n, "mode '%s' is not read", mode);
    }
    return PLEACH_OK;
}

// Opset 10 has no attribute for it: where an axis shrinks the pixel behind is read, where it grows the one before.
static pleach_status old_nearest(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                 const resized dims[2], const char **nearest)
{
    bool shrinks = false, grows = false;

    for (int i = 0; i < 2; i++) {
        const float step = (float)(1 / dims[i].scale);

        shrinks =
            shrinks || (dims[i].scale < 1 && floorf(step) < step); // else all places are whole
        grows = grows || dims[i].scale > 1;
    }
    if (shrinks && grows)
        return plc_onnx_fail(
            r, n,
            "by %g and %g in opset 10, which reads the pixel behind along one axis "
            "and the one before along the other; export it with opset 11 or newer",
            dims[0].scale, dims[1].scale);
    *nearest = shrinks ? "ceil" : "floor";
    return PLEACH_OK;
}

static pleach_status add_resize(plc_onnx_reader *r, const Onnx__NodeProto *n,
                                const plc_onnx_value *x, const resized dims[2], plc_attrs *attrs)
{
    pleach_status status = PLEACH_OK;
    int64_t out[PLC_ONNX_MAX_DIMS];
    int node = 0;

    attrs->size[1] = (int)dims[0].out;
    attrs->size[2] = (int)dims[1].out;
    TRY(plc_onnx_group(r, n, x, x->n_dims - 2 - plc_onnx_first_dim(r), 1, &node));
    TRY(plc_onnx_add(r, n, "resize", "", &(int){node}, 1, attrs, &node));
    memcpy(out, x->dims, sizeof out);
    for (int i = 0; i < 2; i++)
        out[x->n_dims - 2 + i] = dims[i].out;
    plc_onnx_set_node(r, n, node, out, x->n_dims);
done:
    return status;
}

// An input of scales or sizes that is there and not empty; else NULL.
static const plc_onnx_value *constant_of(const plc_onnx_reader *r, const Onnx__NodeProto *n, int i,
                                         plc_onnx_kind kind)
{
    const plc_onnx_value *value = plc_onnx_has_input(n, i) ? plc_onnx_find(r, n->input[i]) : NULL;

    return value && value->kind == kind && value->count ? value : NULL;
}

static pleach_status refuse_unread(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    char policy[24];
    int64_t antialias = 0;

    TRY(plc_onnx_int(r, n, "antialias", 0, &antialias));
    TRY(plc_onnx_string(r, n, "keep_aspect_ratio_policy", "stretch", policy, sizeof policy));
    if (antialias || strcmp(policy, "stretch") != 0)
        TRY(plc_onnx_fail(r, n, "%s is not read",
                          antialias ? "antialias" : "keep_aspect_ratio_policy"));
done:
    return status;
}

pleach_status plc_onnx_resize(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const int sizes_since = 11;
    const bool old = r->opset < sizes_since;
    const plc_onnx_value *x = NULL;
    char mode[16], where[32], nearest[24];
    const char *usual = "round_prefer_floor";
    plc_attrs attrs = {0};
    resized dims[2];
    int64_t exclude = 0;

    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    if (x->n_dims - plc_onnx_first_dim(r) < 2)
        TRY(plc_onnx_fail(r, n, "its input has %d dimensions, expected images", x->n_dims));
    TRY(refuse_unread(r, n));
    const plc_onnx_value *scales = constant_of(r, n, old ? 1 : 2, PLC_ONNX_FLOATS);
    const plc_onnx_value *sizes = constant_of(r, n, 3, PLC_ONNX_INTS);
    if (!scales == !sizes)
        TRY(plc_onnx_fail(r, n, "either scales or sizes must be given, as constants"));
    TRY(set_dims(r, n, x, scales, sizes, dims));
    TRY(plc_onnx_string(r, n, "mode", "nearest", mode, sizeof mode));
    TRY(plc_onnx_string(r, n, "coordinate_transformation_mode", old ? "asymmetric" : "half_pixel",
                        where, sizeof where));
    if (old && strcmp(mode, "nearest") == 0)
        TRY(old_nearest(r, n, dims, &usual));
    TRY(plc_onnx_string(r, n, "nearest_mode", usual, nearest, sizeof nearest));
    TRY(plc_onnx_float(r, n, "cubic_coeff_a", -0.75f, &attrs.alpha));
    TRY(set_places(r, n, where, dims, &attrs));
    TRY(set_mode(r, n, mode, nearest, &attrs));
    // With the others a border that goes on and one that does not count come to the same.
    TRY(plc_onnx_int(r, n, "exclude_outside", 0, &exclude));
    if (exclude && attrs.mode == PLC_RESIZE_CUBIC)
        attrs.mode = PLC_RESIZE_CUBIC_INSIDE;
    TRY(add_resize(r, n, x, dims, &attrs));
done:
    return status;
}

// The older name: scales are an attribute until opset 8, then an input.
pleach_status plc_onnx_upsample(plc_onnx_reader *r, const Onnx__NodeProto *n)
{
    pleach_status status = PLEACH_OK;
    const plc_onnx_value *x = NULL, *scales = NULL;
    const Onnx__AttributeProto *attr = plc_onnx_attr(n, "scales");
    char mode[16];
    plc_attrs attrs = {0};
    resized dims[2];

    TRY(plc_onnx_input_node(r, n, 0, 0, &x));
    if (x->n_dims - plc_onnx_first_dim(r) < 2)
        TRY(plc_onnx_fail(r, n, "its input has %d dimensions, expected images", x->n_dims));
    TRY(plc_onnx_string(r, n, "mode", "nearest", mode, sizeof mode));
    const plc_onnx_value of_attr = {.count = attr ? attr->n_floats : 0,
                                    .floats = attr ? attr->floats : NULL};
    if (!attr)
        TRY(plc_onnx_input_floats(r, n, 1, &scales));
    TRY(set_dims(r, n, x, attr ? &of_attr : scales, NULL, dims));
    TRY(set_places(r, n, "asymmetric", dims, &attrs));
    TRY(set_mode(r, n, mode, "floor", &attrs));
    TRY(add_resize(r, n, x, dims, &attrs));
done:
    return status;
}
