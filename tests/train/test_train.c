// Schedules, optimizers and the training loop.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <base/random.h>
#include <train/trainer.h>
#include <platform.h>

typedef struct fixture {
    pleach_ctx *ctx;
    pleach_device *device;
} fixture;

#define CHECK(call)                                                                                \
    do {                                                                                           \
        if ((call) != PLEACH_OK)                                                                   \
            fail_msg("%s: %s", #call, pleach_error(f->ctx));                                       \
    } while (0)

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    *state = f;
    return f && pleach_ctx_create(&f->ctx) == PLEACH_OK &&
                   pleach_device_open(f->ctx, plc_test_device(), NULL, &f->device) == PLEACH_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    pleach_device_close(&f->device);
    pleach_ctx_destroy(&f->ctx);
    free(f);
    return 0;
}

static void one_cycle_is_that_of_pytorch(void **state)
{
    // torch.optim.lr_scheduler.OneCycleLR(max_lr=0.2, total_steps=101, pct_start=0.2), momentum 0.85..0.95
    const plc_schedule s = {.kind = PLC_SCHEDULE_ONE_CYCLE,
                            .n_steps = 101,
                            .peak = 0.2f,
                            .momentum = 0.9f,
                            .warmup = 0.2f};
    static const struct {
        unsigned step;
        double rate, momentum;
    } expected[] = {
        {0, 0.008, 0.95},      {10, 0.104, 0.90}, {20, 0.2, 0.85},
        {60, 0.1000004, 0.90}, {100, 8e-7, 0.95},
    };

    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        float rate, momentum;
        plc_schedule_at(&s, expected[i].step, &rate, &momentum);
        assert_true(fabs((double)rate - expected[i].rate) < 1e-6);
        assert_true(fabs((double)momentum - expected[i].momentum) < 1e-6);
    }
}

static void two_cycles_are_one_after_another(void **state)
{
    plc_schedule both = {.kind = PLC_SCHEDULE_TWO_CYCLES,
                         .n_steps = 50,
                         .n_first = 20,
                         .peak = 0.2f,
                         .momentum = 0.9f,
                         .warmup = 0.2f};

    (void)state;
    for (unsigned step = 0; step < both.n_steps; step++) {
        plc_schedule one = both;
        float rate, momentum, expected_rate, expected_momentum;
        const bool first = step < both.n_first;
        one.kind = PLC_SCHEDULE_ONE_CYCLE;
        one.n_steps = first ? both.n_first : both.n_steps - both.n_first;
        plc_schedule_at(&both, step, &rate, &momentum);
        plc_schedule_at(&one, first ? step : step - both.n_first, &expected_rate,
                        &expected_momentum);
        assert_true(fabsf(rate - expected_rate) < 1e-9f);
        assert_true(fabsf(momentum - expected_momentum) < 1e-9f);
    }
}

// At a momentum of 1 nothing would be forgotten, and AdamW would divide by zero.
static void a_cycle_of_momentum_stays_below_one(void **state)
{
    plc_schedule s = {.kind = PLC_SCHEDULE_ONE_CYCLE, .n_steps = 50, .peak = 1, .warmup = 0.2f};

    (void)state;
    for (int i = 0; i < 3; i++) {
        s.momentum = (const float[]){0, 0.95f, 0.999f}[i];
        for (unsigned step = 0; step < s.n_steps; step++) {
            float rate, momentum;

            plc_schedule_at(&s, step, &rate, &momentum);
            assert_true(momentum >= 0 && momentum < 1);
        }
    }
}

static void cosine_and_step_schedules_warm_up_and_fall(void **state)
{
    float rate, momentum;
    plc_schedule s = {.kind = PLC_SCHEDULE_COSINE,
                      .n_steps = 101,
                      .peak = 1.0f,
                      .momentum = 0.9f,
                      .warmup = 0.1f};

    (void)state;
    plc_schedule_at(&s, 5, &rate, &momentum);
    assert_true(fabsf(rate - 0.5f) < 1e-6f && momentum == 0.9f);
    plc_schedule_at(&s, 10, &rate, &momentum);
    assert_true(fabsf(rate - 1.0f) < 1e-6f);
    plc_schedule_at(&s, 55, &rate, &momentum);
    assert_true(fabsf(rate - 0.5f) < 1e-6f);
    plc_schedule_at(&s, 100, &rate, &momentum);
    assert_true(rate < 1e-6f);
    s.kind = PLC_SCHEDULE_STEP;
    const float expected[] = {1.0f, 0.1f, 0.01f};
    const unsigned steps[] = {49, 60, 80};
    for (int i = 0; i < 3; i++) {
        plc_schedule_at(&s, steps[i], &rate, &momentum);
        assert_true(fabsf(rate - expected[i]) < 1e-6f);
    }
}

static void unknown_names_are_answered_with_the_known_ones(void **state)
{
    fixture *f = *state;
    plc_schedule_kind schedule;
    plc_optimizer_kind optimizer;

    assert_int_equal(plc_schedule_parse(f->ctx, "cosin", &schedule), PLEACH_EUSAGE);
    assert_non_null(strstr(pleach_error(f->ctx), "cosine"));
    assert_int_equal(plc_optimizer_parse(f->ctx, "adam", &optimizer), PLEACH_EUSAGE);
    assert_non_null(strstr(pleach_error(f->ctx), "adamw"));
}

// The formulas of the optimizers in double precision.
static void reference_step(const plc_optimizer_opts *opts, int step, double rate, double momentum,
                           double gradient, double *w, double *m, double *v)
{
    if (opts->kind == PLC_OPTIMIZER_SGD) {
        const double g = gradient + (double)opts->weight_decay * *w;
        *m = momentum * *m + g;
        *w -= rate * (opts->nesterov ? g + momentum * *m : *m);
        return;
    }
    *m = momentum * *m + (1 - momentum) * gradient;
    *v = 0.999 * *v + (1 - 0.999) * gradient * gradient;
    *w -= rate * (double)opts->weight_decay * *w;
    *w -= rate * (*m / (1 - pow(momentum, step))) / (sqrt(*v / (1 - pow(0.999, step))) + 1e-8);
}

static void check_optimizer(fixture *f, const plc_optimizer_opts *opts)
{
    pleach_graph *graph = NULL;
    pleach_session *session = NULL;
    plc_optimizer *optimizer = NULL;

    CHECK(pleach_graph_create(f->ctx, "cnn5", 1, 8, 8, 3, &graph));
    CHECK(pleach_session_create(f->ctx, graph, f->device, 2, NULL, &session));
    CHECK(plc_optimizer_create(session, opts, &optimizer));
    const size_t n = (size_t)session->layout->n_trainable;
    float *weights = calloc((size_t)session->layout->n_floats, sizeof *weights),
          *gradients = calloc(n, sizeof *gradients);
    double *w = calloc(n, sizeof *w), *m = calloc(n, sizeof *m), *v = calloc(n, sizeof *v);
    CHECK(plc_session_read_weights(session, weights));
    for (size_t i = 0; i < n; i++)
        w[i] = (double)weights[i];
    for (int step = 1; step <= 5; step++) {
        plc_random_fill_normal(1, PLC_STREAM_TEST, (plc_u32)step, 0, 1, gradients, n);
        CHECK(plc_buffer_write(f->device, session->grads, 0, n * sizeof *gradients, gradients));
        CHECK(plc_optimizer_step(optimizer, 0.05f, 0.9f));
        for (size_t i = 0; i < n; i++)
            reference_step(opts, step, 0.05f, 0.9f, (double)gradients[i], &w[i], &m[i], &v[i]);
    }
    CHECK(plc_session_read_weights(session, weights));
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)weights[i] - w[i]) <= 2e-5 * (1 + fabs(w[i]))))
            fail_msg("optimizer %d, weight %zu: %g, expected %g", opts->kind, i, (double)weights[i],
                     w[i]);
    assert_int_equal(plc_optimizer_n_steps(optimizer), 5);
    free(weights);
    free(gradients);
    free(w);
    free(m);
    free(v);
    plc_optimizer_destroy(&optimizer);
    pleach_session_destroy(&session);
    pleach_graph_destroy(&graph);
}

static void optimizers_follow_their_formulas(void **state)
{
    const plc_optimizer_opts cases[] = {
        {.kind = PLC_OPTIMIZER_SGD, .weight_decay = 1e-2f},
        {.kind = PLC_OPTIMIZER_SGD, .nesterov = true, .weight_decay = 1e-2f},
        {.kind = PLC_OPTIMIZER_ADAMW, .weight_decay = 1e-2f},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_optimizer(*state, &cases[i]);
}

// Images of two classes: dark ones and bright ones.
static plc_split two_classes(int n, int pixels)
{
    plc_split split = {.images = calloc((size_t)(n * pixels), 1),
                       .labels = calloc((size_t)n, sizeof *split.labels),
                       .image_bytes = (size_t)pixels,
                       .n_images = n};

    for (int i = 0; i < n; i++) {
        split.labels[i] = (uint16_t)(i % 2);
        for (int j = 0; j < pixels; j++)
            split.images[i * pixels + j] =
                (uint8_t)(plc_random_u32x4(5, PLC_STREAM_TEST, 0, (plc_u64)(i * pixels + j)).x %
                              128 +
                          (i % 2 ? 100 : 0));
    }
    return split;
}

static void training_learns_and_evaluation_agrees(void **state)
{
    fixture *f = *state;
    pleach_graph *graph = NULL;
    pleach_session *session = NULL;
    plc_optimizer *optimizer = NULL;
    plc_trainer *trainer = NULL;
    plc_metrics metrics;
    plc_split split =
        two_classes(203, 64); // not a multiple of the batch: training drops, evaluation counts all
    const plc_optimizer_opts opts = {.nesterov = true};
    const plc_trainer_opts trainer_opts = {.schedule = {.kind = PLC_SCHEDULE_COSINE,
                                                        .n_steps = 60,
                                                        .peak = 0.05f,
                                                        .momentum = 0.9f,
                                                        .warmup = 0.1f}};

    CHECK(pleach_graph_create(f->ctx, "cnn5", 1, 8, 8, 2, &graph));
    CHECK(pleach_session_create(f->ctx, graph, f->device, 20, NULL, &session));
    CHECK(plc_optimizer_create(session, &opts, &optimizer));
    CHECK(plc_trainer_create(f->ctx, session, optimizer, &split, &trainer_opts, NULL, &trainer));
    assert_int_equal(plc_trainer_steps_per_epoch(trainer), 10);
    for (int epoch = 0; epoch < 6; epoch++) {
        CHECK(plc_trainer_run_epoch(trainer, &metrics));
        assert_true(metrics.n_images == 200);
    }
    assert_int_equal(plc_trainer_position(trainer)->step, 60);
    CHECK(plc_evaluate_split(session, &split, &metrics));
    assert_true(metrics.n_images == 203);
    assert_true(metrics.n_correct > 195);
    plc_trainer_destroy(&trainer);
    plc_optimizer_destroy(&optimizer);
    pleach_session_destroy(&session);
    pleach_graph_destroy(&graph);
    free(split.images);
    free(split.labels);
}

static void train_for(fixture *f, pleach_session *session, const plc_split *split, int n_epochs)
{
    plc_optimizer *optimizer = NULL;
    plc_trainer *trainer = NULL;
    plc_metrics metrics;
    const plc_optimizer_opts opts = {.nesterov = true};
    const plc_trainer_opts trainer_opts = {
        .schedule = {.kind = PLC_SCHEDULE_COSINE,
                     .n_steps = (unsigned)(n_epochs * split->n_images / session->batch),
                     .peak = 0.05f,
                     .momentum = 0.9f,
                     .warmup = 0.1f}};

    CHECK(plc_optimizer_create(session, &opts, &optimizer));
    CHECK(plc_trainer_create(f->ctx, session, optimizer, split, &trainer_opts, NULL, &trainer));
    for (int epoch = 0; epoch < n_epochs; epoch++)
        CHECK(plc_trainer_run_epoch(trainer, &metrics));
    plc_trainer_destroy(&trainer);
    plc_optimizer_destroy(&optimizer);
}

static void a_student_learns_from_its_teacher_what_its_labels_do_not_say(void **state)
{
    fixture *f = *state;
    pleach_graph *graph = NULL;
    pleach_session *teacher = NULL, *student = NULL, *stranger = NULL;
    plc_metrics metrics;
    plc_split split = two_classes(200, 64);
    uint16_t *truth = split.labels, silent[200] = {0};
    const pleach_session_opts teacher_opts = {.batch_lanes = true},
                              student_opts = {.seed = 1, .distillation = 2.0f};

    CHECK(pleach_graph_create(f->ctx, "cnn5", 1, 8, 8, 2, &graph));
    CHECK(pleach_session_create(f->ctx, graph, f->device, 4, &teacher_opts, &teacher));
    CHECK(pleach_session_create(f->ctx, graph, f->device, 4, &student_opts, &student));
    CHECK(pleach_session_create(f->ctx, graph, f->device, 5, &teacher_opts, &stranger));
    train_for(f, teacher, &split, 3);
    split.labels = silent;
    CHECK(plc_session_set_teacher(student, teacher, 1.0f));
    train_for(f, student, &split, 3);
    split.labels = truth;
    CHECK(plc_evaluate_split(student, &split, &metrics));
    assert_true(metrics.n_correct > 190);
    assert_int_equal(plc_session_set_teacher(student, stranger, 1.0f), PLEACH_EUSAGE);
    assert_non_null(strstr(pleach_error(f->ctx), "batch"));
    assert_int_equal(plc_session_set_teacher(teacher, student, 1.0f), PLEACH_EUSAGE);
    pleach_session_destroy(&student);
    pleach_session_destroy(&teacher);
    pleach_session_destroy(&stranger);
    pleach_graph_destroy(&graph);
    free(split.images);
    free(split.labels);
}

enum { MOST_MEANS = 512 };

// Running means of the first batch norm, in whose input images do not depend on the rest of their batch.
static void estimate_means(fixture *f, const plc_split *split, int batch, int n_batches,
                           float stale, float means[MOST_MEANS], int *n_means)
{
    pleach_graph *graph = NULL;
    pleach_session *session = NULL;
    const plc_param_place *place = NULL;

    CHECK(pleach_graph_create(f->ctx, "cnn5", 1, 8, 8, 2, &graph));
    CHECK(pleach_session_create(f->ctx, graph, f->device, batch, NULL, &session));
    float *weights = calloc((size_t)session->layout->n_floats, sizeof *weights);
    for (int i = session->layout->n_places - 1; i >= 0; i--) {
        const plc_param_place *at = &session->layout->places[i];
        if (strcmp(graph->nodes[at->node].params[at->param].name, "running_mean") == 0)
            place = at;
    }
    assert_non_null(place);
    assert_true(place->count <= MOST_MEANS);
    CHECK(plc_session_read_weights(session, weights));
    for (int i = 0; i < place->count; i++)
        weights[place->offset + i] = stale;
    CHECK(plc_session_write_weights(session, weights));
    CHECK(plc_estimate_statistics(session, split, n_batches, 3));
    CHECK(plc_session_read_weights(session, weights));
    for (int i = 0; i < place->count; i++)
        means[i] = weights[place->offset + i];
    *n_means = place->count;
    free(weights);
    pleach_session_destroy(&session);
    pleach_graph_destroy(&graph);
}

static void statistics_estimated_anew_are_the_mean_of_all_batches(void **state)
{
    fixture *f = *state;
    float whole[MOST_MEANS], in_parts[MOST_MEANS];
    int n = 0;
    plc_split split = two_classes(40, 64);

    estimate_means(f, &split, 40, 1, 0, whole, &n);
    estimate_means(f, &split, 5, 8, 10, in_parts, &n);
    for (int i = 0; i < n; i++)
        assert_float_equal(in_parts[i], whole[i], 1e-5);
    free(split.images);
    free(split.labels);
}

// Afterwards each batch norm moves by its own momentum again.
static void estimating_leaves_momenta_as_they_were(void **state)
{
    fixture *f = *state;
    pleach_graph *graph = NULL;
    pleach_session *session = NULL;
    plc_split split = two_classes(8, 64);

    CHECK(pleach_graph_create(f->ctx, "cnn5", 1, 8, 8, 2, &graph));
    CHECK(pleach_session_create(f->ctx, graph, f->device, 8, NULL, &session));
    const size_t n = (size_t)session->layout->n_floats;
    float *ones = calloc(n, sizeof *ones), *estimated = calloc(n, sizeof *estimated),
          *moved = calloc(n, sizeof *moved);
    for (size_t i = 0; i < n; i++)
        ones[i] = 1;
    CHECK(plc_session_write_weights(session, ones));
    CHECK(plc_estimate_statistics(session, &split, 1, 3));
    CHECK(plc_session_read_weights(session, estimated));
    CHECK(plc_session_write_weights(session, ones));
    CHECK(plc_session_forward(session, 0)); // of the same batch
    CHECK(plc_session_read_weights(session, moved));
    bool differ = false;
    for (size_t i = 0; i < n; i++) {
        assert_float_equal(moved[i], 0.9f + 0.1f * estimated[i], 1e-4 * (1 + fabsf(estimated[i])));
        differ |= estimated[i] != 1;
    }
    assert_true(differ);
    free(ones);
    free(estimated);
    free(moved);
    pleach_session_destroy(&session);
    pleach_graph_destroy(&graph);
    free(split.images);
    free(split.labels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_cycle_is_that_of_pytorch),
        cmocka_unit_test(a_cycle_of_momentum_stays_below_one),
        cmocka_unit_test(two_cycles_are_one_after_another),
        cmocka_unit_test(cosine_and_step_schedules_warm_up_and_fall),
        cmocka_unit_test(unknown_names_are_answered_with_the_known_ones),
        cmocka_unit_test(optimizers_follow_their_formulas),
        cmocka_unit_test(training_learns_and_evaluation_agrees),
        cmocka_unit_test(a_student_learns_from_its_teacher_what_its_labels_do_not_say),
        cmocka_unit_test(statistics_estimated_anew_are_the_mean_of_all_batches),
        cmocka_unit_test(estimating_leaves_momenta_as_they_were),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
