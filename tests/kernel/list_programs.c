// Lists every program that pleach builds, without compiling one: real sessions of many networks are
// made on a device whose build functions only take notes.
//
// usage: list_programs [LANES...]      of the work-item mapping (default 32); the vector mapping follows
// A line per program: FILE <tab> OPTIONS <tab> KERNEL,KERNEL,... of which launches were made.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/memory.h>
#include <graph/channels.h>
#include <kernel/kernels.h>
#include <price/peaks.h>
#include <prune/pruner.h>
#include <prune/scores.h>
#include <random_graph.h>
#include <rewrite/apply.h>
#include <rewrite/compact.h>
#include <rewrite/fold.h>
#include <run/programs.h>
#include <train/optimizer.h>

enum { MAX_PROGRAMS = 1024, MAX_KERNELS = 16, BLOCKS = 2, WORK_ITEM_LANES = 32, VECTOR_LANES = 16 };

// Stands for a cl_program and for its cl_kernels.
typedef struct note {
    char file[64], options[512];
    const char *kernels[MAX_KERNELS]; // static strings of the launches
    int n_kernels;
} note;

static note notes[MAX_PROGRAMS];
static int n_notes;

// The expanded source opens with its file's name: #line 1 "conv.cl".
static cl_program note_source(cl_context context, cl_uint n, const char **strings,
                              const size_t *lengths, cl_int *error)
{
    note *new = &notes[n_notes];

    (void)context, (void)n, (void)lengths;
    *error = CL_OUT_OF_HOST_MEMORY;
    if (n_notes == MAX_PROGRAMS || sscanf(strings[0], "#line 1 \"%63[^\"]", new->file) != 1)
        return NULL;
    n_notes++;
    *error = CL_SUCCESS;
    return (cl_program) new;
}

static cl_int note_options(cl_program program, cl_uint n, const cl_device_id *ids,
                           const char *options,
                           void(CL_CALLBACK *notify)(cl_program program, void *user), void *user)
{
    note *built = (note *)program;

    (void)n, (void)ids, (void)notify, (void)user;
    snprintf(built->options, sizeof built->options, "%s", options);
    return CL_SUCCESS;
}

static cl_kernel note_kernel(cl_program program, const char *name, cl_int *error)
{
    note *of = (note *)program;
    int i = 0;

    while (i < of->n_kernels && strcmp(of->kernels[i], name) != 0)
        i++;
    *error = i < MAX_KERNELS ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
    if (i == of->n_kernels && i < MAX_KERNELS)
        of->kernels[of->n_kernels++] = name;
    return i < MAX_KERNELS ? (cl_kernel)of : NULL;
}

static cl_int keep_program(cl_program program)
{
    (void)program;
    return CL_SUCCESS;
}

static cl_int keep_kernel(cl_kernel kernel)
{
    (void)kernel;
    return CL_SUCCESS;
}

static cl_int skip_arg(cl_kernel kernel, cl_uint index, size_t bytes, const void *value)
{
    (void)kernel, (void)index, (void)bytes, (void)value;
    return CL_SUCCESS;
}

static cl_int no_limits(cl_kernel kernel, cl_device_id id, cl_kernel_work_group_info what,
                        size_t size, void *value, size_t *needed)
{
    (void)kernel, (void)id, (void)needed;
    memset(value, what == CL_KERNEL_WORK_GROUP_SIZE ? 0x7f : 0, size);
    return CL_SUCCESS;
}

static cl_int skip_run(cl_command_queue queue, cl_kernel kernel, cl_uint dims, const size_t *offset,
                       const size_t *global, const size_t *local, cl_uint n_events,
                       const cl_event *events, cl_event *event)
{
    (void)queue, (void)kernel, (void)dims, (void)offset, (void)global, (void)local;
    (void)n_events, (void)events, (void)event;
    return CL_SUCCESS;
}

// What is built must not depend on this machine: enough local memory for every algorithm.
static cl_int much_local_memory(cl_device_id id, cl_device_info what, size_t size, void *value,
                                size_t *needed)
{
    const cl_ulong much = 4 << 20;

    if (what != CL_DEVICE_LOCAL_MEM_SIZE || size < sizeof much)
        return clGetDeviceInfo(id, what, size, value, needed);
    memcpy(value, &much, sizeof much);
    return CL_SUCCESS;
}

static plc_cl note_taking_cl(void)
{
    plc_cl cl = plc_cl_loader;

    cl.clGetDeviceInfo = much_local_memory;
    cl.clCreateProgramWithSource = note_source;
    cl.clBuildProgram = note_options;
    cl.clReleaseProgram = keep_program;
    cl.clCreateKernel = note_kernel;
    cl.clReleaseKernel = keep_kernel;
    cl.clSetKernelArg = skip_arg;
    cl.clGetKernelWorkGroupInfo = no_limits;
    cl.clEnqueueNDRangeKernel = skip_run;
    return cl;
}

// Training and inference, with an optimizer; and inference of one image, which has a layout of its own.
static pleach_status visit_sessions(pleach_device *device, const pleach_graph *graph,
                                    const pleach_session_opts *opts, plc_optimizer_kind kind)
{
    pleach_status status = PLEACH_OK;
    const plc_optimizer_opts optimizer_opts = {.kind = kind};
    pleach_session *session = NULL, *single = NULL;
    plc_optimizer *optimizer = NULL;

    TRY(pleach_session_create(device->ctx, graph, device, BLOCKS * device->lanes, opts, &session));
    TRY(plc_optimizer_create(session, &optimizer_opts, &optimizer));
    TRY(pleach_session_create(device->ctx, graph, device, 1,
                              &(pleach_session_opts){.inference_only = true}, &single));
done:
    plc_optimizer_destroy(&optimizer);
    pleach_session_destroy(&single);
    pleach_session_destroy(&session);
    return status;
}

// What else a job does to a network: scores, masks, compaction, folding.
static pleach_status visit_rewrites(pleach_device *device, const pleach_graph *graph)
{
    pleach_status status = PLEACH_OK;
    const plc_optimizer_opts optimizer_opts = {.kind = PLC_OPTIMIZER_SGD};
    pleach_graph *small = NULL, *folded = NULL;
    plc_channels *channels = NULL;
    plc_edits *compaction = NULL, *folding = NULL;
    unsigned char *mask = NULL;
    pleach_session *session = NULL, *compacted = NULL, *last = NULL;
    plc_optimizer *optimizer = NULL;
    plc_scorer *scorer = NULL;
    plc_pruner *pruner = NULL;

    TRY(pleach_session_create(device->ctx, graph, device, device->lanes, NULL, &session));
    TRY(plc_optimizer_create(session, &optimizer_opts, &optimizer));
    TRY(plc_channels_create(device->ctx, graph, &channels));
    for (int score = PLC_SCORE_L1; score <= PLC_SCORE_RANDOM; score++) {
        TRY(plc_scorer_create(session, channels, (plc_score)score, 0, &scorer));
        plc_scorer_destroy(&scorer);
    }
    TRY(plc_pruner_create(session, channels, &pruner));
    TRY(plc_random_mask(device->ctx, channels, 1, 0.5, &mask));
    TRY(plc_compact_describe(device->ctx, graph, channels, mask, &small, &compaction));
    TRY(plc_rewrite_session(session, small, compaction, false, &compacted));
    TRY(plc_fold_describe(device->ctx, small, &folded, &folding, NULL));
    TRY(plc_rewrite_session(compacted, folded, folding, true, &last));
done:
    plc_scorer_destroy(&scorer);
    plc_pruner_destroy(&pruner);
    plc_optimizer_destroy(&optimizer);
    pleach_session_destroy(&last);
    pleach_session_destroy(&compacted);
    pleach_session_destroy(&session);
    free(mask);
    plc_edits_destroy(&folding);
    plc_edits_destroy(&compaction);
    plc_channels_destroy(&channels);
    pleach_graph_destroy(&folded);
    pleach_graph_destroy(&small);
    return status;
}

static pleach_status visit_models(pleach_device *device)
{
    pleach_status status = PLEACH_OK;
    const char *const names[] = {"cnn5", "resnet20", "vgg16", "densenet40"};
    const pleach_session_opts opts = {.crop = 4, .flip = true, .mask_gradients = true};
    pleach_graph *graph = NULL;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        TRY(pleach_graph_create(device->ctx, names[i], 3, 32, 32, 10, &graph));
        TRY(visit_sessions(device, graph, &opts, PLC_OPTIMIZER_ADAMW));
        TRY(visit_rewrites(device, graph));
        pleach_graph_destroy(&graph);
    }
done:
    pleach_graph_destroy(&graph);
    return status;
}

// The two convolutions read a value that wants a gradient: the second adds to the first's.
static pleach_status conv_network(pleach_ctx *ctx, int size, int channels, bool depthwise,
                                  const plc_attrs *of, pleach_graph **graph)
{
    pleach_status status = PLEACH_OK;
    plc_attrs attrs = *of;
    const plc_attrs first = {.kernel = {1, 1}, .out_channels = channels, .bias = true};
    const plc_attrs classes = {.out_channels = 10, .bias = true};
    int x = 0, branch = 0, at = 0;

    attrs.out_channels = channels;
    attrs.groups = depthwise ? channels : 1;
    TRY(plc_graph_create(ctx, "sweep", (plc_shape){3, size, size}, graph));
    TRY(plc_graph_add(ctx, *graph, "conv", "first", &at, 1, &first, &x));
    TRY(plc_graph_add(ctx, *graph, "conv", "left", &x, 1, &attrs, &branch));
    TRY(plc_graph_add(ctx, *graph, "conv", "right", &x, 1, &attrs, &at));
    TRY(plc_graph_add(ctx, *graph, "add", "sum", (int[]){branch, at}, 2, NULL, &at));
    TRY(plc_graph_add(ctx, *graph, "batch_norm", "norm", &at, 1, NULL, &at));
    TRY(plc_graph_add(ctx, *graph, "relu", "relu", &at, 1, NULL, &at));
    TRY(plc_graph_add(ctx, *graph, "flatten", "flatten", &at, 1, NULL, &at));
    TRY(plc_graph_add(ctx, *graph, "linear", "fc", &at, 1, &classes, &at));
done:
    return status;
}

static pleach_status visit_conv(pleach_device *device, const plc_attrs *attrs)
{
    pleach_status status = PLEACH_OK;
    const int sizes[] = {28, 9}, channels[] = {1, 3, 4, 16, 64};
    pleach_graph *graph = NULL;

    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 5; j++)
            for (int depthwise = 0; depthwise < 2; depthwise++) {
                TRY(conv_network(device->ctx, sizes[i], channels[j], depthwise, attrs, &graph));
                TRY(visit_sessions(device, graph, NULL, PLC_OPTIMIZER_SGD));
                pleach_graph_destroy(&graph);
            }
done:
    pleach_graph_destroy(&graph);
    return status;
}

// What a whole job makes besides: a teacher, merged blocks, and batch norms for layers that have none.
static pleach_status visit_jobs(pleach_device *device)
{
    pleach_status status = PLEACH_OK;
    const plc_attrs attrs = {.kernel = {3, 3}, .stride = {1, 1}, .pad = {1, 1}};
    pleach_graph *graph = NULL;

    TRY(pleach_graph_create(device->ctx, "resnet20", 3, 32, 32, 10, &graph));
    TRY(plc_programs_visit(device, graph, device->lanes, true));
    pleach_graph_destroy(&graph);
    TRY(conv_network(device->ctx, 9, 4, false, &attrs, &graph));
    TRY(plc_programs_visit(device, graph, device->lanes, true));
done:
    pleach_graph_destroy(&graph);
    return status;
}

// Every width and stride that has a variant of its own, and one beyond; dilated ones.
static pleach_status visit_convs(pleach_device *device)
{
    pleach_status status = PLEACH_OK;
    enum { WIDEST = 8, LONGEST_STRIDE = 3 };

    for (int width = 1; width <= WIDEST; width++)
        for (int stride = 1; stride <= LONGEST_STRIDE; stride++) {
            const plc_attrs attrs = {.kernel = {width, width},
                                     .stride = {stride, stride},
                                     .pad = {width / 2, width / 2}};
            TRY(visit_conv(device, &attrs));
        }
    TRY(visit_conv(device, &(plc_attrs){.kernel = {3, 3}, .pad = {2, 2}, .dilation = {2, 2}}));
done:
    return status;
}

// Whatever else the operators' table holds (grouped convolutions, concats, pools).
static pleach_status visit_random_graphs(pleach_device *device)
{
    pleach_status status = PLEACH_OK;
    enum { ALL_OPERATORS = 24 }; // seeds, see random_graph.h
    pleach_graph *graph = NULL;

    for (unsigned seed = 0; seed < ALL_OPERATORS; seed++) {
        TRY(plc_random_graph(device->ctx, seed, &graph));
        TRY(visit_sessions(device, graph, NULL, PLC_OPTIMIZER_SGD));
        TRY(visit_rewrites(device, graph));
        pleach_graph_destroy(&graph);
    }
done:
    pleach_graph_destroy(&graph);
    return status;
}

static pleach_status visit(pleach_ctx *ctx, const plc_cl *cl, int lanes, int mapping)
{
    pleach_status status = PLEACH_OK;
    const pleach_device_opts opts = {
        .lanes = lanes, .mapping = mapping, .cache_dir = "", .allow_broken = true};
    pleach_device *device = NULL;
    plc_peaks peaks = {0};

    TRY(plc_kernels_open(ctx, cl, NULL, &opts, &device));
    TRY(visit_models(device));
    TRY(visit_convs(device));
    TRY(visit_jobs(device));
    TRY(visit_random_graphs(device));
    TRY(plc_peaks_measure(device, &peaks));
done:
    plc_peaks_finish(&peaks);
    pleach_device_close(&device);
    return status;
}

static void print(void)
{
    for (int i = 0; i < n_notes; i++) {
        printf("%s\t%s\t", notes[i].file, notes[i].options);
        for (int k = 0; k < notes[i].n_kernels; k++)
            printf("%s%s", k ? "," : "", notes[i].kernels[k]);
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    pleach_status status = PLEACH_OK;
    const plc_cl cl = note_taking_cl();
    pleach_ctx *ctx = NULL;

    TRY(pleach_ctx_create(&ctx));
    if (argc == 1)
        TRY(visit(ctx, &cl, WORK_ITEM_LANES, PLEACH_MAPPING_WORK_ITEM));
    for (int i = 1; i < argc; i++)
        TRY(visit(ctx, &cl, atoi(argv[i]), PLEACH_MAPPING_WORK_ITEM));
    TRY(visit(ctx, &cl, VECTOR_LANES, PLEACH_MAPPING_VECTOR));
    print();
done:
    if (status != PLEACH_OK)
        fprintf(stderr, "list_programs: %s\n", ctx ? pleach_error(ctx) : "out of memory");
    pleach_ctx_destroy(&ctx);
    return pleach_status_exit_code(status);
}
