// What a step costs by count, what the device could do at best, and what lies between.
#include <context.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <price/energy.h>
#include <price/macs.h>
#include <price/profile.h>
#include <platform.h>

enum { BATCH = 6, SIZE = 16 };

static plc_fma_peak fma_rows[] = {{4, 80}, {8, 100}};
static plc_bandwidth bandwidth_rows[] = {
    {1000, 40, 50, 20}, {10000, 18, 20, 10}, {100000, 9, 10, 5}};
static const plc_peaks made_up = {
    .gflops = 100, .fma = fma_rows, .n_fma = 2, .bandwidth = bandwidth_rows, .n_bandwidth = 3};

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-12 * fabs(expected)))
        fail_msg("%.17g, expected %.17g", value, expected);
}

static void the_roof_is_that_of_the_size_below_or_of_any_above(void **state)
{
    (void)state;
    assert_near(plc_peaks_bandwidth(&made_up, 0), 50);
    assert_near(plc_peaks_bandwidth(&made_up, 999), 50);
    assert_near(plc_peaks_bandwidth(&made_up, 1000), 50);
    // Reading 10000 bytes reaches 20; copying arrays of 10000 works on 20000, so 40 of the smaller counts.
    assert_near(plc_peaks_bandwidth(&made_up, 10000), 40);
    assert_near(plc_peaks_bandwidth(&made_up, 20000), 20);
    assert_near(plc_peaks_bandwidth(&made_up, 150000), 18);
    assert_near(plc_peaks_bandwidth(&made_up, INFINITY), 10);
    assert_near(plc_peaks_bandwidth(&(plc_peaks){0}, 5), 0);
}

static void the_least_time_is_that_of_what_takes_longer(void **state)
{
    const plc_profile_row computes = {.n_launches = 2,
                                      .flops = 9e5,
                                      .executed_flops = 4e5,
                                      .bytes = 2000,
                                      .seconds = 1e-5},
                          moves = {.n_launches = 1,
                                   .flops = 10,
                                   .executed_flops = 10,
                                   .bytes = 2e5,
                                   .seconds = 1e-4};
    bool compute_bound;

    (void)state;
    assert_near(plc_peaks_seconds(&made_up, 2e5, 1000), 2e-6);
    assert_near(plc_peaks_seconds(&made_up, 10, 2e5), 2e-5);
    assert_near(plc_profile_share(&computes, &made_up, &compute_bound), 0.4);
    assert_true(compute_bound);
    assert_near(plc_profile_share(&moves, &made_up, &compute_bound), 0.2);
    assert_false(compute_bound);
}

static void quantiles_are_numbers_that_were_there(void **state)
{
    double values[] = {9, 1, 8, 2, 7, 3, 6, 4, 5, 10}, one[] = {3};

    (void)state;
    assert_near(plc_quantile(values, 10, 0.5), 5);
    assert_near(plc_quantile(values, 10, 0.9), 9);
    assert_near(plc_quantile(values, 10, 1.0), 10);
    assert_near(plc_quantile(one, 1, 0.9), 3);
}

static void write_zone(const char *folder, int zone, const char *name, const char *text)
{
    char path[256];

    snprintf(path, sizeof path, "%s/intel-rapl:%d", folder, zone);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/intel-rapl:%d/%s", folder, zone, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void energy_is_the_sum_of_packages_over_the_counters_turn(void **state)
{
    char folder[] = "/tmp/pleach-test-energy-XXXXXX", command[64];
    plc_energy before, after;

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_false(plc_energy_read(folder, &before));
    write_zone(folder, 0, "name", "package-0\n");
    write_zone(folder, 0, "energy_uj", "1000000\n");
    assert_false(plc_energy_read(folder, &before)); // a counter of which the range is not known
    write_zone(folder, 0, "max_energy_range_uj", "9000000\n");
    write_zone(folder, 1, "name", "psys\n"); // which has the packages in it
    write_zone(folder, 1, "energy_uj", "5000000\n");
    write_zone(folder, 1, "max_energy_range_uj", "9000000\n");
    write_zone(folder, 2, "name", "package-1\n");
    write_zone(folder, 2, "energy_uj", "8500000\n");
    write_zone(folder, 2, "max_energy_range_uj", "9000000\n");
    assert_true(plc_energy_read(folder, &before));
    assert_int_equal(before.n_packages, 2);
    write_zone(folder, 0, "energy_uj", "3000000\n");
    write_zone(folder, 1, "energy_uj", "8000000\n");
    write_zone(folder, 2, "energy_uj", "250000\n");
    assert_true(plc_energy_read(folder, &after));
    assert_near(plc_energy_joules(&before, &after), 2.0 + 0.75);
    write_zone(folder, 0, "energy_uj", "broken\n");
    assert_false(plc_energy_read(folder, &before));
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void least_traffic_counts_each_operand_of_each_product_once(void **state)
{
    pleach_graph *graph = NULL;
    double values = 0, weights = 0, training = 0;

    (void)state;
    assert_ok(pleach_graph_create(ctx, "resnet20", 3, SIZE, SIZE, 10, &graph));
    for (int i = 0; i < graph->n_nodes; i++) {
        const plc_node *node = &graph->nodes[i];

        if (strcmp(node->op->name, "conv") != 0 && strcmp(node->op->name, "linear") != 0)
            continue;
        const plc_shape x = graph->nodes[node->inputs[0]].shape, y = node->shape;
        const double moved = 4.0 * BATCH * (x.c * x.h * x.w + y.c * y.h * y.w);
        double own = 0;

        for (int j = 0; j < node->n_params; j++)
            own += 4.0 * plc_param_count(&node->params[j]);
        values += moved;
        weights += own;
        training += (node->inputs[0] ? 3 : 2) * (moved + own) + 5 * own;
    }
    assert_near(plc_least_step_bytes(graph, BATCH, false, 4), values + weights);
    assert_near(plc_least_step_bytes(graph, BATCH, false, 2), values / 2 + weights);
    assert_near(plc_least_step_bytes(graph, BATCH, true, 4), training);
    pleach_graph_destroy(&graph);
}

static void check_workload(pleach_device *device, bool trains)
{
    pleach_graph *graph = NULL;
    plc_workload workload = {0};
    plc_profile by_shape = {0}, by_kernel = {0};
    const plc_launch_list *lists[PLC_WORKLOAD_MAX_LISTS];
    double kernel_seconds = 0;

    assert_ok(pleach_graph_create(ctx, "resnet20", 3, SIZE, SIZE, 10, &graph));
    assert_ok(plc_workload_create(device, graph, NULL, BATCH, trains, 1, &workload));
    assert_true(workload.first_step_seconds >= workload.create_seconds);
    assert_true(workload.create_seconds >= workload.build.seconds);
    assert_true(workload.build.n_compiled + workload.build.n_cached > 0 || !trains);
    const int n_lists = plc_workload_lists(&workload, lists);
    for (int i = 0; i < n_lists; i++)
        for (int j = 0; j < lists[i]->n_items; j++)
            if (!lists[i]->items[j]->shape[0] || !(lists[i]->items[j]->bytes > 0))
                fail_msg("%s: shape '%s', %g bytes", lists[i]->items[j]->label,
                         lists[i]->items[j]->shape, lists[i]->items[j]->bytes);
    assert_ok(plc_profile_run(&workload, 2, true, &by_shape));
    assert_ok(plc_profile_create(&workload, false, &by_kernel));
    assert_false(device->profile);
    assert_int_equal(plc_profile_total(&by_shape).n_launches,
                     plc_profile_total(&by_kernel).n_launches);
    assert_near(plc_profile_total(&by_shape).bytes, plc_profile_total(&by_kernel).bytes);
    assert_true(by_shape.n_items > by_kernel.n_items);
    // Nothing is cheaper than what must be moved.
    assert_true(plc_profile_total(&by_shape).bytes >
                plc_least_step_bytes(graph, BATCH, trains, device->value_bytes));
    plc_profile_sort(&by_shape);
    for (size_t i = 0; i < by_shape.n_items; i++) {
        assert_true(by_shape.items[i].seconds > 0);
        assert_true(i == 0 || by_shape.items[i].seconds <= by_shape.items[i - 1].seconds);
        kernel_seconds += by_shape.items[i].seconds;
    }
    assert_near(plc_profile_total(&by_shape).seconds, kernel_seconds);
    plc_profile_finish(&by_shape);
    plc_profile_finish(&by_kernel);
    plc_workload_finish(&workload);
    pleach_graph_destroy(&graph);
}

static pleach_device *open_device(int mapping, int lanes)
{
    const pleach_device_opts opts = {.mapping = mapping, .lanes = lanes, .profile = true};
    pleach_device *device = NULL;

    assert_ok(pleach_device_open(ctx, plc_test_device(), &opts, &device));
    device->profile = false;
    return device;
}

static void every_launch_of_a_step_has_a_row(void **state)
{
    pleach_device *device = open_device(PLEACH_MAPPING_VECTOR, 0);

    (void)state;
    check_workload(device, true);
    check_workload(device, false);
    pleach_device_close(&device);
}

static cl_int CL_API_CALL end_before_the_start(cl_event event, cl_profiling_info what, size_t size,
                                               void *value, size_t *needed)
{
    const cl_ulong time = what == CL_PROFILING_COMMAND_START ? 1000 : 999;

    (void)event, (void)needed;
    memcpy(value, &time, size);
    return CL_SUCCESS;
}

static void an_end_before_its_start_is_no_time(void **state)
{
    plc_cl cl = plc_cl_loader;
    const pleach_device_opts opts = {.profile = true};
    pleach_device *device = NULL;
    pleach_graph *graph = NULL;
    plc_workload workload = {0};
    plc_profile profile = {0};

    (void)state;
    cl.clGetEventProfilingInfo = end_before_the_start;
    assert_ok(plc_kernels_open(ctx, &cl, plc_test_device(), &opts, &device));
    assert_ok(pleach_graph_create(ctx, "cnn5", 3, SIZE, SIZE, 10, &graph));
    assert_ok(plc_workload_create(device, graph, NULL, BATCH, false, 1, &workload));
    assert_ok(plc_profile_run(&workload, 1, true, &profile));
    assert_true(profile.n_items > 0);
    assert_near(plc_profile_total(&profile).seconds, 0);
    plc_profile_finish(&profile);
    plc_workload_finish(&workload);
    pleach_graph_destroy(&graph);
    pleach_device_close(&device);
}

static void check_peaks(pleach_device *device)
{
    plc_peaks peaks = {0};
    double best = 0;

    assert_ok(plc_peaks_measure(device, &peaks));
    for (size_t i = 0; i < peaks.n_fma; i++) {
        assert_true(peaks.fma[i].gflops > 0);
        best = fmax(best, peaks.fma[i].gflops);
    }
    assert_near(peaks.gflops, best);
    assert_true(peaks.n_bandwidth >= 2);
    for (size_t i = 0; i < peaks.n_bandwidth; i++) {
        const plc_bandwidth *row = &peaks.bandwidth[i];

        assert_true(row->copy_gb_s > 0 && row->read_gb_s > 0 && row->write_gb_s > 0);
        assert_true(i == 0 || row->bytes > row[-1].bytes);
    }
    assert_true(peaks.launch_us > 0 && peaks.launch_wait_us > 0);
    assert_int_equal(pleach_device_memory_bytes(device), 0);
    plc_peaks_finish(&peaks);
}

static void peaks_are_measured_in_both_mappings(void **state)
{
    pleach_device *vector = open_device(PLEACH_MAPPING_VECTOR, 0),
                  *work_item = open_device(PLEACH_MAPPING_WORK_ITEM, 8);

    (void)state;
    check_peaks(vector);
    check_peaks(work_item);
    pleach_device_close(&vector);
    pleach_device_close(&work_item);
}

// The kernels compute what they are said to: so no compiler has left the work out.
static void the_measured_kernels_do_their_work(void **state)
{
    enum { N_PIXELS = 8, N_LANES = 8, N = N_PIXELS * N_LANES };
    pleach_device *device = open_device(PLEACH_MAPPING_VECTOR, N_LANES);
    plc_buffer *x = NULL, *y = NULL;
    plc_launch_list list;
    plc_launch *launch = NULL;
    float values[N], copied[N];

    (void)state;
    for (int i = 0; i < N; i++)
        values[i] = (float)i;
    plc_launch_list_init(&list, device);
    assert_ok(plc_buffer_create(device, "x", sizeof values, &x));
    assert_ok(plc_buffer_create(device, "y", sizeof values, &y));
    assert_ok(plc_buffer_write(device, x, 0, sizeof values, values));
    assert_ok(plc_launch_add(&list, "bench", "memory_copy", "", &launch));
    plc_launch_arg_buffer(launch, x);
    plc_launch_arg_buffer(launch, y);
    plc_launch_arg_int(launch, N_PIXELS / 2); // two groups of four pixels behind one another
    plc_launch_arg_int(launch, 1);
    plc_launch_arg_int(launch, N_PIXELS / 2);
    plc_launch_arg_int(launch, 2);
    plc_launch_groups(device, launch, 2, 1, 1);
    assert_ok(plc_launch_list_freeze(&list));
    assert_ok(plc_launch_list_run(&list));
    assert_ok(plc_buffer_read(device, y, 0, sizeof copied, copied));
    assert_memory_equal(values, copied, sizeof values);
    plc_launch_list_finish(&list);
    plc_launch_list_init(&list, device);
    // v -> v/2 + 1/2, 16 steps, 8 chains that start at v + 0..7: 1 + (v + i - 1) / 2^16 each.
    assert_ok(plc_launch_add(&list, "bench", "fma_chains", "-DCHAINS=8", &launch));
    plc_launch_arg_buffer(launch, x);
    plc_launch_arg_float(launch, 0.5f);
    plc_launch_arg_float(launch, 0.5f);
    plc_launch_arg_int(launch, 1);
    plc_launch_groups(device, launch, N_PIXELS, 1, 1);
    assert_ok(plc_launch_list_freeze(&list));
    assert_ok(plc_launch_list_run(&list));
    assert_ok(plc_buffer_read(device, x, 0, sizeof copied, copied));
    for (int i = 0; i < N; i++)
        assert_true(fabs(copied[i] - (8.0 + (8.0 * (values[i] - 1) + 28) / 65536)) < 1e-5);
    plc_launch_list_finish(&list);
    plc_buffer_destroy(device, &x);
    plc_buffer_destroy(device, &y);
    pleach_device_close(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_roof_is_that_of_the_size_below_or_of_any_above),
        cmocka_unit_test(the_least_time_is_that_of_what_takes_longer),
        cmocka_unit_test(quantiles_are_numbers_that_were_there),
        cmocka_unit_test(energy_is_the_sum_of_packages_over_the_counters_turn),
        cmocka_unit_test(least_traffic_counts_each_operand_of_each_product_once),
        cmocka_unit_test(every_launch_of_a_step_has_a_row),
        cmocka_unit_test(an_end_before_its_start_is_no_time),
        cmocka_unit_test(peaks_are_measured_in_both_mappings),
        cmocka_unit_test(the_measured_kernels_do_their_work),
    };

    return cmocka_run_group_tests_name("price", tests, make_fixture, drop_fixture);
}
