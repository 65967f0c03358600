// Known answers of the kernels over arenas, and the comparison that all of the self-test shares.
#include <exec/self_test_cases.h>

#include <math.h>
#include <rewrite_params.h>
#include <ops/arena_launch.h>

// Of |difference| over the largest expected value of the tensor: some tens of roundings. Winograd's and
// those of batch norm are the largest; a lost term or a wrong bit of the upper half is far more.
static const double tolerance = 2e-5;

void plc_self_test_compare(char *wrong, const char *name, const char *what, const float *got,
                           const double *expected, int n)
{
    double scale = 0.0;

    for (int i = 0; i < n; i++)
        scale = fmax(scale, fabs(expected[i]));
    for (int i = 0; i < n && !wrong[0]; i++)
        if (!(fabs((double)got[i] - expected[i]) <= tolerance * scale))
            snprintf(wrong, PLC_SELF_TEST_TEXT_MAX, "%s: %s: value %d of %d is %.9g, expected %.9g",
                     name, what, i, n, (double)got[i], expected[i]);
}

// A weight [N0][DEPTH][TAIL] of which some filters and channels stay.
enum { N0 = 11, DEPTH = 5, TAIL = 9, FROM = 3, TO = 4, N_KEPT0 = 7, N_KEPT1 = 3, N_MASKS = 130 };
enum { FROM_VECTOR = FROM + N0 * DEPTH * TAIL, TO_VECTOR = TO + N_KEPT0 * N_KEPT1 * TAIL + 5 };
enum { N_VECTOR = 13, N_OLD = FROM_VECTOR + N_VECTOR, N_NEW = TO_VECTOR + N_VECTOR, N_GATHERS = 2 };

typedef struct arenas {
    pleach_device *device;
    plc_launch_list list;
    plc_buffer *old, *new, *kept, *gathers, *class_of, *classes, *masks;
} arenas;

static pleach_status run_gather(arenas *a, char *wrong)
{
    pleach_status status = PLEACH_OK;
    static const int kept[N_KEPT0 + N_KEPT1] = {0, 2, 3, 6, 7, 9, 10, 0, 1, 4};
    static const gather_params gathers[N_GATHERS] = {
        {FROM, TO, N_KEPT0, N_KEPT1, TAIL, DEPTH, 0,
         N_KEPT0}, // the weight, and behind a gap a whole vector
        {FROM_VECTOR, TO_VECTOR, N_VECTOR, 1, 1, 1, -1, -1}};
    float old[N_OLD], got[N_NEW];
    double expected[N_NEW] = {0}; // what lies before and between the parameters stays 0

    for (int i = 0; i < N_OLD; i++)
        old[i] = (float)(i + 1);
    for (int i = 0; i < N_VECTOR; i++)
        expected[TO_VECTOR + i] = (double)old[FROM_VECTOR + i];
    for (int i = 0; i < N_KEPT0 * N_KEPT1 * TAIL; i++)
        expected[TO + i] = (double)
            old[FROM +
                (kept[i / TAIL / N_KEPT1] * DEPTH + kept[N_KEPT0 + i / TAIL % N_KEPT1]) * TAIL +
                i % TAIL];
    TRY(plc_buffer_upload(a->device, "old arena", old, sizeof old, &a->old));
    TRY(plc_buffer_upload(a->device, "kept channels", kept, sizeof kept, &a->kept));
    TRY(plc_buffer_create(a->device, "new arena", sizeof got, &a->new));
    TRY(plc_buffer_fill(a->device, a->new, 0, sizeof got, 0));
    TRY(plc_buffer_upload(a->device, "gathers", gathers, sizeof gathers, &a->gathers));
    TRY(plc_append_gathers(&a->list, a->old, a->new, a->kept, a->gathers, N_GATHERS));
    TRY(plc_launch_list_freeze(&a->list));
    TRY(plc_launch_list_run(&a->list));
    TRY(plc_buffer_read(a->device, a->new, 0, sizeof got, got));
    plc_self_test_compare(wrong, "gather", "compacted parameters", got, expected, N_NEW);
done:
    return status;
}

static pleach_status run_masks(arenas *a, char *wrong)
{
    pleach_status status = PLEACH_OK;
    static const unsigned char classes[] = {1, 0, 0, 1, 0};
    enum { N_CLASSES = sizeof classes };
    int class_of[N_MASKS];
    float got[N_MASKS];
    double expected[N_MASKS];

    for (int i = 0; i < N_MASKS; i++) {
        class_of[i] = i % (N_CLASSES + 1) - 1;
        expected[i] = class_of[i] < 0 || classes[class_of[i]] ? 1.0 : 0.0;
    }
    TRY(plc_buffer_upload(a->device, "kept classes", classes, sizeof classes, &a->classes));
    TRY(plc_buffer_upload(a->device, "mask classes", class_of, sizeof class_of, &a->class_of));
    TRY(plc_buffer_create(a->device, "masks", sizeof got, &a->masks));
    TRY(plc_append_mask_scatter(&a->list, a->classes, a->class_of, a->masks, N_MASKS));
    TRY(plc_launch_list_freeze(&a->list));
    TRY(plc_launch_list_run(&a->list));
    TRY(plc_buffer_read(a->device, a->masks, 0, sizeof got, got));
    plc_self_test_compare(wrong, "mask", "factors of channels", got, expected, N_MASKS);
done:
    return status;
}

pleach_status plc_self_test_arenas(pleach_device *device, plc_self_test_outcome *outcome)
{
    pleach_status status = PLEACH_OK;
    arenas a = {.device = device};

    plc_launch_list_init(&a.list, device);
    TRY(plc_self_test_count(device, "gathers", run_gather(&a, outcome->wrong), outcome));
    TRY(plc_self_test_count(device, "masks", run_masks(&a, outcome->wrong), outcome));
done:
    plc_device_settle(device);
    plc_launch_list_finish(&a.list);
    plc_buffer **buffers[] = {&a.old,      &a.new,     &a.kept, &a.gathers,
                              &a.class_of, &a.classes, &a.masks};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        plc_buffer_destroy(device, buffers[i]);
    return status;
}
