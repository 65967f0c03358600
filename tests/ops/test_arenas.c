// Kernels over arenas (optimizers, scores, folding, gathers, masks) launched alone, against their formulas in double
// precision: what sessions need a whole network for, simulators see here.
#include "../context.h"

#include <math.h>
#include <string.h>

#include <base/random.h>
#include <exec/self_test_cases.h>
#include <kernel/kernels.h>
#include <platform.h>
#include "../../cl/prune_params.h"
#include "../../cl/rewrite_params.h"

enum { N = 203, MOST_ARENAS = 4 };
static const double tolerance = 1e-6;

// One launch under construction: its arenas are read back after it has run.
typedef struct trial {
    plc_launch_list list;
    plc_launch *launch;
    plc_buffer *buffers[MOST_ARENAS + 4];
    int n_buffers;
} trial;

static pleach_device *device;

static int set_up(void **state)
{
    const pleach_device_opts opts = {.cache_dir = plc_test_cache()};

    return make_fixture(state) != 0 ||
           pleach_device_open(ctx, plc_test_device(), &opts, &device) != PLEACH_OK;
}

static int tear_down(void **state)
{
    pleach_device_close(&device);
    return drop_fixture(state);
}

static void begin(trial *t, const char *file, const char *kernel)
{
    *t = (trial){0};
    plc_launch_list_init(&t->list, device);
    assert_ok(plc_launch_add(&t->list, file, kernel, "", &t->launch));
}

static void add_bytes(trial *t, const void *data, size_t bytes)
{
    plc_buffer **buffer = &t->buffers[t->n_buffers++];

    assert_ok(plc_buffer_upload(device, "test", data, bytes, buffer));
    plc_launch_arg_buffer(t->launch, *buffer);
}

static void add_floats(trial *t, const float *values, int n)
{
    add_bytes(t, values, (size_t)n * sizeof *values);
}

// Runs n items and reads buffer `index`.
static void end(trial *t, int n, int index, float *values, int n_values)
{
    plc_launch_items(t->launch, (size_t)n);
    assert_ok(plc_launch_list_freeze(&t->list));
    assert_ok(plc_launch_list_run(&t->list));
    assert_ok(
        plc_buffer_read(device, t->buffers[index], 0, (size_t)n_values * sizeof *values, values));
    plc_launch_list_finish(&t->list);
    for (int i = 0; i < t->n_buffers; i++)
        plc_buffer_destroy(device, &t->buffers[i]);
}

static void draw(unsigned seed, float *values, int n)
{
    plc_random_fill_uniform(seed, PLC_STREAM_TEST, 0, 0.1f, 1.0f, values, (size_t)n);
}

static void near(double got, double wanted)
{
    if (!(fabs(got - wanted) <= tolerance * fmax(1, fabs(wanted))))
        fail_msg("%.9g instead of %.9g", got, wanted);
}

static void sgd_is_that_of_its_definition(void **state)
{
    float w[N], g[N], m[N], after[N];

    (void)state;
    draw(1, w, N);
    draw(2, g, N);
    draw(3, m, N);
    for (int nesterov = 0; nesterov < 2; nesterov++) {
        trial t;
        begin(&t, "optimizer", "sgd_step");
        add_floats(&t, w, N);
        add_floats(&t, g, N);
        add_floats(&t, m, N);
        plc_launch_arg_int(t.launch, N);
        plc_launch_arg_float(t.launch, 0.5f);
        plc_launch_arg_float(t.launch, 0.01f);
        plc_launch_arg_int(t.launch, nesterov);
        plc_launch_arg_float(t.launch, 0.2f);
        plc_launch_arg_float(t.launch, 0.9f);
        end(&t, N, 0, after, N);
        for (int i = 0; i < N; i++) {
            const double gradient = 0.5 * (double)g[i] + 0.01 * (double)w[i],
                         velocity = 0.9 * (double)m[i] + gradient;
            near((double)after[i],
                 (double)w[i] - 0.2 * (nesterov ? gradient + 0.9 * velocity : velocity));
        }
    }
}

static void adamw_is_that_of_its_definition(void **state)
{
    float w[N], g[N], m[N], v[N], after[N];
    const float numbers[] = {0.5f, 0.01f, 0.999f, 1e-8f, 0.002f, 0.9f, 0.1f, 0.001f};
    trial t;

    (void)state;
    draw(4, w, N);
    draw(5, g, N);
    draw(6, m, N);
    draw(7, v, N);
    begin(&t, "optimizer", "adamw_step");
    add_floats(&t, w, N);
    add_floats(&t, g, N);
    add_floats(&t, m, N);
    add_floats(&t, v, N);
    plc_launch_arg_int(t.launch, N);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        plc_launch_arg_float(t.launch, numbers[i]);
    end(&t, N, 0, after, N);
    for (int i = 0; i < N; i++) {
        const double gradient = 0.5 * (double)g[i], first = 0.9 * (double)m[i] + 0.1 * gradient,
                     second = 0.999 * (double)v[i] + 0.001 * gradient * gradient;
        near((double)after[i], (double)w[i] * (1 - 0.002 * 0.01) -
                                   0.002 * (first / 0.1) / (sqrt(second / 0.001) + 1e-8));
    }
}

// Two classes of two slices: runs of 3 floats, and of 1 float at a stride; and one class that has none.
static const prune_slice slices[] = {{0, 1, 0, 3}, {10, 2, 5, 1}, {3, 1, 0, 3}, {11, 2, 5, 1}};
static const int starts[] = {0, 2, 4, 4};
enum { N_CLASSES = 3, SLICE_FLOATS = 5 };

// The i-th float of class k.
static double slice_float(const float *arena, int k, int i)
{
    return (double)arena[i < 3 ? 3 * k + i : 10 + k + 5 * (i - 3)];
}

static void begin_scores(trial *t, const char *kernel, const float *arena, const float *gradients)
{
    begin(t, "prune", kernel);
    add_floats(t, arena, N);
    if (gradients)
        add_floats(t, gradients, N);
    add_bytes(t, slices, sizeof slices);
    add_bytes(t, starts, sizeof starts);
}

static void norms_are_those_of_the_slices(void **state)
{
    float arena[N], zeros[N_CLASSES] = {0}, scores[N_CLASSES];

    (void)state;
    draw(8, arena, N);
    for (int norm = PRUNE_L1; norm <= PRUNE_MEAN; norm++) {
        trial t;
        begin_scores(&t, "score_norm", arena, NULL);
        add_floats(&t, zeros, N_CLASSES);
        plc_launch_arg_int(t.launch, N_CLASSES);
        plc_launch_arg_int(t.launch, norm);
        end(&t, N_CLASSES, 3, scores, N_CLASSES);
        for (int k = 0; k < 2; k++) {
            double sum = 0;
            for (int i = 0; i < SLICE_FLOATS; i++)
                sum += norm == PRUNE_L2 ? pow(slice_float(arena, k, i), 2)
                                        : fabs(slice_float(arena, k, i));
            near((double)scores[k], norm == PRUNE_L2     ? sqrt(sum)
                                    : norm == PRUNE_MEAN ? sum / SLICE_FLOATS
                                                         : sum);
        }
        assert_true(scores[2] == 0.0f);
    }
}

static void distances_are_those_of_the_other_classes(void **state)
{
    float arena[N], zeros[N_CLASSES] = {0}, scores[N_CLASSES];
    const int peers[] = {0, 1};
    const prune_peers peers_of[] = {{0, 2}, {0, 2}, {0, 0}};
    double squares = 0;
    trial t;

    (void)state;
    draw(9, arena, N);
    begin_scores(&t, "score_distance", arena, NULL);
    add_bytes(&t, peers, sizeof peers);
    add_bytes(&t, peers_of, sizeof peers_of);
    add_floats(&t, zeros, N_CLASSES);
    plc_launch_arg_int(t.launch, N_CLASSES);
    end(&t, N_CLASSES, 5, scores, N_CLASSES);
    for (int i = 0; i < SLICE_FLOATS; i++)
        squares += pow(slice_float(arena, 0, i) - slice_float(arena, 1, i), 2);
    near((double)scores[0], sqrt(squares));
    near((double)scores[1], sqrt(squares));
    assert_true(scores[2] == 0.0f);
}

static void chosen_slices_become_zero_and_no_others(void **state)
{
    float arena[N], after[N];
    const unsigned char chosen[N_CLASSES] = {0, 1, 1};
    trial t;

    (void)state;
    draw(10, arena, N);
    begin_scores(&t, "zero_slices", arena, NULL);
    add_bytes(&t, chosen, sizeof chosen);
    plc_launch_arg_int(t.launch, N_CLASSES);
    end(&t, N_CLASSES, 0, after, N);
    for (int i = 0; i < N; i++) {
        const bool zeroed = (i >= 3 && i < 6) || i == 11 || i == 16;
        assert_true(after[i] == (zeroed ? 0.0f : arena[i]));
    }
}

// Means over steps: gamma and beta of a class are the two floats of its second slice.
static void taylor_moves_the_mean_by_its_rate(void **state)
{
    static const prune_slice affine[] = {{10, 2, 5, 1}, {11, 2, 5, 1}};
    static const int affine_starts[] = {0, 1, 2, 2};
    float arena[N], gradients[N], means[N_CLASSES] = {1, 2, 3}, after[N_CLASSES];
    trial t;

    (void)state;
    draw(11, arena, N);
    draw(12, gradients, N);
    begin(&t, "prune", "score_taylor");
    add_floats(&t, arena, N);
    add_floats(&t, gradients, N);
    add_bytes(&t, affine, sizeof affine);
    add_bytes(&t, affine_starts, sizeof affine_starts);
    add_floats(&t, means, N_CLASSES);
    plc_launch_arg_int(t.launch, N_CLASSES);
    plc_launch_arg_float(t.launch, 0.25f);
    end(&t, N_CLASSES, 4, after, N_CLASSES);
    for (int k = 0; k < N_CLASSES; k++) {
        const double total = k == 2 ? 0
                                    : fabs((double)arena[10 + k] * (double)gradients[10 + k] +
                                           (double)arena[15 + k] * (double)gradients[15 + k]);
        near((double)after[k], 0.75 * (double)means[k] + 0.25 * total);
    }
}

static void a_batch_norm_folds_into_the_filters_before_it(void **state)
{
    enum { FILTERS = 7, ROW = 9, GAMMA = 100, BETA = 110, MEAN = 120, VAR = 130, BIAS = 140 };
    float old[N], new[N], zeros[N] = {0};
    const double eps = 1e-5;
    trial t;

    (void)state;
    draw(13, old, N);
    begin(&t, "rewrite", "fold_weight");
    add_floats(&t, old, N);
    add_floats(&t, zeros, N);
    for (int i = 0; i < 6; i++)
        plc_launch_arg_int(t.launch, (const int[]){0, 3, FILTERS * ROW, ROW, GAMMA, VAR}[i]);
    plc_launch_arg_float(t.launch, (float)eps);
    end(&t, FILTERS * ROW, 1, new, N);
    for (int i = 0; i < FILTERS * ROW; i++)
        near((double)new[3 + i], (double)old[i] * (double)old[GAMMA + i / ROW] /
                                     sqrt((double)old[VAR + i / ROW] + eps));
    for (int has_bias = 0; has_bias < 2; has_bias++) {
        begin(&t, "rewrite", "fold_bias");
        add_floats(&t, old, N);
        add_floats(&t, zeros, N);
        for (int i = 0; i < 7; i++)
            plc_launch_arg_int(t.launch, (const int[]){has_bias ? BIAS : -1, 3, FILTERS, GAMMA,
                                                       BETA, MEAN, VAR}[i]);
        plc_launch_arg_float(t.launch, (float)eps);
        end(&t, FILTERS, 1, new, N);
        for (int k = 0; k < FILTERS; k++)
            near((double)new[3 + k],
                 (double)old[BETA + k] +
                     ((has_bias ? (double)old[BIAS + k] : 0) - (double)old[MEAN + k]) *
                         (double)old[GAMMA + k] / sqrt((double)old[VAR + k] + eps));
    }
}

// Offsets of the parts of an arena, and sizes, of one composition: a grouped 1x2 layer of stride 2 and a dense 2x1
// layer, so that no two sizes are alike.
static const compose_params composition = {.first = 0,
                                           .second = 60,
                                           .first_bias = 120,
                                           .second_bias = 130,
                                           .gamma = 140,
                                           .beta = 150,
                                           .mean = 160,
                                           .var = 170,
                                           .mean_behind = -1,
                                           .to = 3,
                                           .C = 4,
                                           .M = 6,
                                           .K = 5,
                                           .groups = 1,
                                           .groups1 = 2,
                                           .groups2 = 1,
                                           .R1 = 1,
                                           .S1 = 2,
                                           .R2 = 2,
                                           .S2 = 2,
                                           .R = 3,
                                           .S = 3,
                                           .stride_h = 2,
                                           .stride_w = 1,
                                           .eps = 1e-5f};

static double norm_scale(const float *old, int m)
{
    return (double)old[composition.gamma + m] /
           sqrt((double)old[composition.var + m] + (double)composition.eps);
}

static void run_compose(const char *kernel, const compose_params *p, const float *old, int n,
                        float *new)
{
    const float zeros[N] = {0};
    trial t;

    begin(&t, "rewrite", kernel);
    add_floats(&t, old, N);
    add_floats(&t, zeros, N);
    plc_launch_arg_value(t.launch, p, sizeof *p);
    end(&t, n, 1, new, N);
}

static void composed_filters_are_those_of_one_layer_after_the_other(void **state)
{
    const compose_params *p = &composition;
    float old[N], new[N];
    double expected[5 * 4 * 3 * 3] = {0};

    (void)state;
    draw(14, old, N);
    // Scattered from every product of two weights, where the kernel gathers.
    for (int o = 0; o < p->K; o++)
        for (int m = 0; m < p->M; m++)
            for (int i1 = 0; i1 < p->C / p->groups1; i1++)
                for (int b = 0; b < p->R2 * p->S2; b++)
                    for (int a = 0; a < p->R1 * p->S1; a++) {
                        const int i = m / (p->M / p->groups1) * (p->C / p->groups1) + i1;
                        const int r = a / p->S1 + b / p->S2 * p->stride_h;
                        const int s = a % p->S1 + b % p->S2 * p->stride_w;
                        expected[((o * p->C + i) * p->R + r) * p->S + s] +=
                            (double)old[p->second + (o * p->M + m) * p->R2 * p->S2 + b] *
                            norm_scale(old, m) *
                            (double)
                                old[p->first + (m * (p->C / p->groups1) + i1) * p->R1 * p->S1 + a];
                    }
    run_compose("compose_weight", p, old, 5 * 4 * 3 * 3, new);
    for (int i = 0; i < 5 * 4 * 3 * 3; i++)
        near((double)new[p->to + i], expected[i]);
    assert_true(new[p->to - 1] == 0.0f && new[p->to + 5 * 4 * 3 * 3] == 0.0f);
}

static void a_composed_constant_is_a_bias_or_moves_the_mean_behind(void **state)
{
    float old[N], new[N];

    (void)state;
    draw(15, old, N);
    for (int i = 0; i < 4; i++) { // with and without a mean behind, biases and a batch norm
        compose_params p = composition;
        if (i % 2)
            p.mean_behind = 180;
        if (i / 2)
            p.first_bias = p.second_bias = p.gamma = -1;
        run_compose("compose_bias", &p, old, p.K, new);
        for (int o = 0; o < p.K; o++) {
            double bias = i / 2 ? 0 : (double)old[p.second_bias + o];
            for (int m = 0; m < p.M; m++) {
                const double shift =
                    i / 2 ? 0
                          : (double)old[p.beta + m] +
                                ((double)old[p.first_bias + m] - (double)old[p.mean + m]) *
                                    norm_scale(old, m);
                for (int b = 0; b < p.R2 * p.S2; b++)
                    bias += shift * (double)old[p.second + (o * p.M + m) * p.R2 * p.S2 + b];
            }
            near((double)new[p.to + o], i % 2 ? (double)old[180 + o] - bias : bias);
        }
    }
}

static void the_identity_is_one_at_the_centre_of_the_own_channel(void **state)
{
    enum { FILTERS = 4, N_IN = 2, R = 3, S = 3, SIZE = FILTERS * N_IN * R * S };
    float old[N], new[N], zeros[N] = {0};
    trial t;

    (void)state;
    draw(16, old, N);
    begin(&t, "rewrite", "add_identity");
    add_floats(&t, old, N);
    add_floats(&t, zeros, N);
    for (int i = 0; i < 6; i++)
        plc_launch_arg_int(t.launch, (const int[]){7, 3, SIZE, N_IN, R, S}[i]);
    end(&t, SIZE, 1, new, N);
    for (int i = 0; i < SIZE; i++) {
        const bool own = i % 9 == 4 && i / 9 % N_IN == i / (9 * N_IN) % N_IN;
        near((double)new[3 + i], (double)old[7 + i] + own);
    }
}

static void gathers_and_masks_are_those_of_the_self_test(void **state)
{
    plc_self_test_outcome outcome = {0};

    (void)state;
    assert_ok(plc_self_test_arenas(device, &outcome));
    assert_string_equal(outcome.wrong, "");
    assert_int_equal(outcome.n_left_out, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sgd_is_that_of_its_definition),
        cmocka_unit_test(adamw_is_that_of_its_definition),
        cmocka_unit_test(norms_are_those_of_the_slices),
        cmocka_unit_test(distances_are_those_of_the_other_classes),
        cmocka_unit_test(chosen_slices_become_zero_and_no_others),
        cmocka_unit_test(taylor_moves_the_mean_by_its_rate),
        cmocka_unit_test(a_batch_norm_folds_into_the_filters_before_it),
        cmocka_unit_test(composed_filters_are_those_of_one_layer_after_the_other),
        cmocka_unit_test(a_composed_constant_is_a_bias_or_moves_the_mean_behind),
        cmocka_unit_test(the_identity_is_one_at_the_centre_of_the_own_channel),
        cmocka_unit_test(gathers_and_masks_are_those_of_the_self_test),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
