// Writing ONNX: resizes, whose places follow from sizes or scales in one of the ways that ONNX has names for.
#include <io/onnx_writer.h>

#include <math.h>
#include <string.h>

enum { RESIZE_SINCE = 11, REGION_OPTIONAL_SINCE = 13, SIZES_OF_AXES_SINCE = 18 };

// How ONNX calls what is the nearest pixel.
typedef enum rounding {
    ROUND_DOWN,
    ROUND_UP,
    ROUND_HALF_DOWN,
    ROUND_HALF_UP,
    N_ROUNDINGS,
} rounding;

static const struct {
    const char *name;
    float moved; // of shift
    int mode;
} roundings[N_ROUNDINGS] = {
    [ROUND_DOWN] = {"floor", 0, PLC_RESIZE_FLOOR},
    [ROUND_UP] = {"ceil", 0, PLC_RESIZE_CEIL},
    [ROUND_HALF_DOWN] = {"round_prefer_floor", -0.5f, PLC_RESIZE_CEIL},
    [ROUND_HALF_UP] = {"round_prefer_ceil", 0.5f, PLC_RESIZE_FLOOR},
};

// How ONNX calls the places of a resize, and the scales that give them.
typedef struct resize_form {
    const char *where;
    rounding nearest;
    float scales[2];
    bool by_sizes[2]; // a scale that is the quotient of sizes
} resize_form;

static bool is_near(double a, double b)
{
    return fabs(a - b) < 1e-5;
}

// Whether `a` has the places of an axis where ONNX has them with `step` pixels of the input for one of the output.
static bool fits(const plc_attrs *a, int axis, int n_in, double step, const char *where,
                 float moved)
{
    const int n_out = a->size[1 + axis];
    double scale = step, shift = 0;

    if (strcmp(where, "align_corners") == 0)
        scale = n_out > 1 ? (n_in - 1.0) / (n_out - 1) : 0;
    else if (strcmp(where, "pytorch_half_pixel") == 0 && n_out == 1)
        scale = 0;
    else if (strcmp(where, "asymmetric") != 0)
        shift = step / 2 - 0.5;
    return is_near(scale, (double)a->scale[axis]) &&
           is_near(shift + (double)moved, (double)a->shift[axis]);
}

// A scale with this step that makes n_in pixels n_out and some more that is rounded down; 0: there is none.
static float scale_of_step(float step, int n_in, int n_out)
{
    const float least = 1e-6f; // of what is read
    const double exact = step > least ? 1 / (double)step : 0;
    const float digits = (float)(round(exact * 1e4) / 1e4); // as people write them: not 1.29999995
    const bool is_short = is_near((double)digits, exact) && (float)(1 / (double)digits) == step;
    const float scale = is_short ? digits : (float)exact;

    return floorf(scale * (float)n_in) == (float)n_out ? scale : 0;
}

// The least float by which n_in pixels become n_out from the quotient on: readers round products down.
static float scale_of_sizes(int n_in, int n_out)
{
    float scale = (float)n_out / (float)n_in;

    while (scale * (float)n_in < (float)n_out)
        scale = nextafterf(scale, INFINITY);
    return scale;
}

// With `all_by_sizes` no axis may have a scale of its own.
static bool find_scales(const plc_attrs *a, const plc_shape *x, bool all_by_sizes,
                        resize_form *form)
{
    const int in[] = {x->h, x->w};
    const float moved = roundings[form->nearest].moved;

    for (int i = 0; i < 2; i++) {
        const int n_out = a->size[1 + i];
        double step = (double)in[i] / n_out;

        form->scales[i] = scale_of_sizes(in[i], n_out);
        form->by_sizes[i] = all_by_sizes || fits(a, i, in[i], step, form->where, moved);
        if (!form->by_sizes[i]) {
            step = (double)a->scale[i];
            form->scales[i] = scale_of_step(a->scale[i], in[i], n_out);
        }
        if (!(form->scales[i] > 0) || !fits(a, i, in[i], step, form->where, moved))
            return false;
    }
    return true;
}

// Among the names with scales of the sizes first: each rounding of one's own could move a place.
static bool find_form(const plc_attrs *a, const plc_shape *x, resize_form *form)
{
    static const char *const places[] = {"half_pixel", "asymmetric", "align_corners",
                                         "pytorch_half_pixel"};
    enum { N_PLACES = sizeof places / sizeof *places };

    for (int i = 0; i < 2 * N_PLACES; i++)
        for (rounding j = 0; j < N_ROUNDINGS; j++) {
            const bool rounds =
                a->mode >= PLC_RESIZE_LINEAR ? j == ROUND_DOWN : a->mode == roundings[j].mode;

            *form = (resize_form){.where = places[i % N_PLACES], .nearest = j};
            if (rounds && find_scales(a, x, i < N_PLACES, form))
                return true;
        }
    return false;
}

static int64_t divide_down(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

// The nearest pixel where place `o` of n_out lies by the quotient of sizes.
static int64_t exact_pixel(const resize_form *form, int64_t o, int64_t n_in, int64_t n_out)
{
    const bool from_corner = strcmp(form->where, "asymmetric") == 0;
    const int64_t num = from_corner ? o * n_in : (2 * o + 1) * n_in - n_out;
    const int64_t den = from_corner ? n_out : 2 * n_out;

    return form->nearest == ROUND_DOWN        ? divide_down(num, den)
           : form->nearest == ROUND_UP        ? -divide_down(-num, den)
           : form->nearest == ROUND_HALF_DOWN ? -divide_down(den - 2 * num, 2 * den)
                                              : divide_down(2 * num + den, 2 * den);
}

// The same as ONNX Runtime has it, in floats.
static int64_t float_pixel(const resize_form *form, int o, float scale)
{
    const float place = strcmp(form->where, "asymmetric") == 0 ? (float)o / scale
                                                               : ((float)o + 0.5f) / scale - 0.5f;

    return (int64_t)(form->nearest == ROUND_DOWN        ? floorf(place)
                     : form->nearest == ROUND_UP        ? ceilf(place)
                     : form->nearest == ROUND_HALF_DOWN ? ceilf(place - 0.5f)
                                                        : floorf(place + 0.5f));
}

static int64_t inside(int64_t pixel, int n_in)
{
    return pixel < 0 ? 0 : pixel < n_in ? pixel : n_in - 1;
}

// Whether the scale written for an axis has another nearest pixel somewhere than the sizes: where the float is above
// their quotient, places on the border of a pixel may lie before it.
static bool moves_pixels(const plc_attrs *a, int axis, int n_in, const resize_form *form)
{
    const int n_out = a->size[1 + axis];
    const float scale = form->scales[axis];

    if (a->mode >= PLC_RESIZE_LINEAR || !form->by_sizes[axis] ||
        strcmp(form->where, "align_corners") == 0)
        return false;
    for (int o = 0; o < n_out; o++)
        if (inside(exact_pixel(form, o, n_in, n_out), n_in) !=
            inside(float_pixel(form, o, scale), n_in))
            return true;
    return false;
}

static pleach_status check_pixels(plc_onnx_writer *w, int node, const resize_form *form)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &w->graph->nodes[node];
    const plc_shape *x = &w->graph->nodes[n->inputs[0]].shape;

    if (!moves_pixels(&n->attrs, 0, x->h, form) && !moves_pixels(&n->attrs, 1, x->w, form))
        return status;
    if (form->by_sizes[0] && form->by_sizes[1])
        TRY(plc_onnx_needs(w, node, "for nearest pixels of these sizes", SIZES_OF_AXES_SINCE));
    else
        FAIL(
            w->ctx, PLEACH_EGRAPH,
            "resize '%s': ONNX has no scales by which all of its nearest pixels lie where they are",
            n->name);
done:
    return status;
}

// Scales, as the number of images stays open; where the opset has them sizes of rows and columns alone.
static pleach_status add_sizes(plc_onnx_writer *w, int node, const resize_form *form,
                               char *inputs[4], int *n_inputs)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &w->graph->nodes[node];
    const int64_t sizes[] = {n->shape.h, n->shape.w};
    const float scales[] = {1, 1, form->scales[0], form->scales[1]};

    if (form->by_sizes[0] && form->by_sizes[1] && w->opset >= SIZES_OF_AXES_SINCE) {
        TRY(plc_onnx_print(w->ctx, &w->arena, &inputs[2], "%s", ""));
        TRY(plc_onnx_name(w, n->name, "sizes", &inputs[3]));
        TRY(plc_onnx_add_ints(w, inputs[3], sizes, 2));
        *n_inputs = 4;
        return status;
    }
    TRY(check_pixels(w, node, form));
    TRY(plc_onnx_name(w, n->name, "scales", &inputs[2]));
    TRY(plc_onnx_add_floats(w, inputs[2], scales, 4));
    *n_inputs = 3;
done:
    return status;
}

pleach_status plc_onnx_write_resize(plc_onnx_writer *w, int node)
{
    pleach_status status = PLEACH_OK;
    const plc_node *n = &w->graph->nodes[node];
    const plc_attrs *a = &n->attrs;
    char *inputs[4] = {NULL};
    resize_form form = {0};
    Onnx__NodeProto *made = NULL;
    int n_inputs = 0;

    if (!find_form(a, &w->graph->nodes[n->inputs[0]].shape, &form))
        FAIL(w->ctx, PLEACH_EGRAPH, "resize '%s': ONNX has no name for where its pixels lie",
             n->name);
    if (w->opset < RESIZE_SINCE)
        TRY(plc_onnx_needs(w, node, "wherever its pixels lie", RESIZE_SINCE));
    TRY(plc_onnx_value_of_rank(w, node, n->inputs[0], 4, &inputs[0]));
    if (w->opset < REGION_OPTIONAL_SINCE) { // an empty one
        TRY(plc_onnx_name(w, n->name, "region", &inputs[1]));
        TRY(plc_onnx_add_floats(w, inputs[1], &(float){0}, 0));
    } else {
        TRY(plc_onnx_print(w->ctx, &w->arena, &inputs[1], "%s", ""));
    }
    TRY(add_sizes(w, node, &form, inputs, &n_inputs));
    TRY(plc_onnx_add_node(w, "Resize", n->name, inputs, n_inputs, &made));
    if (n_inputs == 4)
        TRY(plc_onnx_attr_ints(w, made, "axes", (const int[]){2, 3}, 2));
    TRY(plc_onnx_attr_string(w, made, "mode",
                             a->mode == PLC_RESIZE_LINEAR  ? "linear"
                             : a->mode > PLC_RESIZE_LINEAR ? "cubic"
                                                           : "nearest"));
    TRY(plc_onnx_attr_string(w, made, "coordinate_transformation_mode", form.where));
    TRY(plc_onnx_attr_string(w, made, "nearest_mode", roundings[form.nearest].name));
    TRY(plc_onnx_attr_float(w, made, "cubic_coeff_a", a->alpha));
    TRY(plc_onnx_attr_int(w, made, "exclude_outside", a->mode == PLC_RESIZE_CUBIC_INSIDE));
done:
    return status;
}
