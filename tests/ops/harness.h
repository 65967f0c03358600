// One operator on a device: random values in random views, forward and backward, canaries checked.
//
//     plc_harness_opts opts = {.device = device, .n_images = 5, .seed = 1, .label = "case 1"};
//     plc_harness *h = plc_harness_create(graph, &opts);
//     ... change h->values, h->weights, h->masks ...
//     plc_harness_run_forward(h, &step);     ... compare h->values[node] ...
//     plc_harness_run_backward(h, &step);    ... compare h->grads[input], h->weight_grads ...
//     plc_harness_destroy(&h);
//
// Every failure ends the test through cmocka. opts.label names the case, for messages.
#ifndef PLC_TESTS_OPS_HARNESS_H
#define PLC_TESTS_OPS_HARNESS_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ops/lower.h>
#include <platform.h>

// Devices of both mappings, several lane counts and both precisions on one device of the machine
// (plc_test_device); at the quick level one lane count each.
enum { PLC_HARNESS_DEVICES = 7, PLC_HARNESS_QUICK_DEVICES = 4 };

typedef struct plc_harness_devices {
    pleach_ctx *ctx;
    pleach_device *items[PLC_HARNESS_DEVICES];
    unsigned n;
} plc_harness_devices;

// Whether inference on channel lanes is for the device: vectors of floats.
static inline bool plc_harness_has_channel_lanes(const pleach_device *device)
{
    return device->vector_lanes && device->value_bytes == (int)sizeof(float);
}

// Group setup and teardown of cmocka: *state is the plc_harness_devices.
int plc_harness_open_devices(void **state);
int plc_harness_close_devices(void **state);

typedef struct plc_harness_opts {
    pleach_device *device;
    int n_images;
    unsigned seed;
    bool inference;
    bool channel_lanes; // in inference on a vector device: values are [N][H][W][planes]
    bool mask_gradients;
    bool accumulate;   // the inputs' gradients hold something already
    const char *label; // what reproduces the case; printed when something fails
} plc_harness_opts;

typedef struct plc_harness {
    plc_harness_opts opts;
    pleach_ctx *ctx;           // borrowed
    pleach_graph *graph;       // owned
    plc_params_layout *layout; // owned
    plc_lower lower;
    plc_launch_list forward, backward, prepare;
    bool lowered;
    // Host copies, floats: per node [n_images][C][H][W]; arenas of the layout; one mask per channel
    // of every node from lower.mask_offsets; one gate per node. weight_grads start random.
    float **values, **grads;
    float *weights, *weight_grads, *masks, *gates;
    int n_masks;
} plc_harness;

// A value as the device stores it: itself, or the nearest half. Values and gradients start so; a test that
// changes h->values calls plc_harness_store_values before it computes what it expects of them.
float plc_harness_stored(const plc_harness *harness, float value);
void plc_harness_store_values(plc_harness *harness);

// The relative error of storing a value: 0, or 2^-11. Part of the tolerance wherever values and their
// gradients are compared: once for each time that one was stored.
double plc_harness_rounding(const plc_harness *harness);

// Takes the graph. Every value gets a buffer of its own, with spare planes around a view at random.
// Values, gradients and weights are random normals (running variances positive), masks and gates 1.
plc_harness *plc_harness_create(pleach_graph *graph, const plc_harness_opts *opts);
void plc_harness_destroy(plc_harness **harness);

// Makes the value and gradient of `node` a view of those of `root`, from its channel `first`. Call
// before running.
void plc_harness_alias(plc_harness *harness, int node, int root, int first);

// A mask acts at `node`: each channel is pruned with probability 0.4. Call before running.
void plc_harness_mask(plc_harness *harness, int node);

// None, a ReLU, and bounds of a clip; and a node that does it, or `node` itself for none.
enum { PLC_HARNESS_CLIPS = 4 };
plc_clip plc_harness_clip(int choice);
int plc_harness_add_clip(pleach_ctx *ctx, pleach_graph *graph, int node, plc_clip clip);

// Bounds for a reference: infinite without a clip.
double plc_harness_low(plc_clip clip);
double plc_harness_high(plc_clip clip);

// Uploads values (NaN in empty lanes and in the output), runs, downloads every value, checks that
// what lies outside the output's view kept its bits.
void plc_harness_run_forward(plc_harness *harness, const plc_step *step);

// Uploads gradients (0 in empty lanes; NaN where nothing accumulates), runs, downloads every
// gradient and the weight gradients, checks canaries and that empty lanes of the inputs' gradients
// are 0. Forward must have run.
void plc_harness_run_backward(plc_harness *harness, const plc_step *step);

// Floats of one image of a node's value, and of all images.
int plc_harness_image_size(const plc_harness *harness, int node);
size_t plc_harness_value_size(const plc_harness *harness, int node);

// Runs one launch list that the test lowered itself on harness->lower (loss, augmentation).
void plc_harness_run_list(plc_harness *harness, plc_launch_list *list);
void plc_harness_upload(plc_harness *harness);
void plc_harness_download(plc_harness *harness);
// Gives lower->scratch and lower->workspace their memory once everything is lowered.
void plc_harness_place(plc_harness *harness);

// Fails with the label and the first place where |got - expected| > tolerance * (1 + |expected|).
void plc_harness_compare(const plc_harness *harness, const char *what, const float *got,
                         const double *expected, size_t n, double tolerance);

// Fails unless status is PLEACH_OK, with the context's error text.
void plc_harness_check(const plc_harness *harness, pleach_status status);

// Appends a node and returns it; attrs may be NULL.
int plc_harness_add_node(pleach_ctx *ctx, pleach_graph *graph, const char *op, const int *inputs,
                         int n_inputs, const plc_attrs *attrs);

// A whole number in [low, high] as a function of the seed and of `draw`.
int plc_harness_pick(unsigned seed, unsigned draw, int low, int high);

#endif
