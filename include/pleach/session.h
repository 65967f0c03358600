// A session: a graph made ready to run on one device at one batch size.
#ifndef PLEACH_SESSION_H
#define PLEACH_SESSION_H

#include <pleach/device.h>
#include <pleach/graph.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pleach_session pleach_session;

// Works when zero. Arrays are copied. What is said to be of training is for the sessions of jobs (pleach/run.h).
typedef struct pleach_session_opts {
    bool inference_only;     // no gradients: less memory
    unsigned long long seed; // of the initial weights, and of augmentation in training
    float label_smoothing;   // 0 to 1, in training
    int crop;                // random crop after padding by this many pixels, in training
    bool flip;               // random horizontal flip, in training
    const float *mean, *std; // normalisation per input channel of x/255; NULL: 0 and 1
    bool mask_gradients;     // pruned channels get no gradient (--recover none), in training
    float distillation; // temperature at which a teacher is imitated, in training; 0: there is none
    bool batch_lanes;   // inference of few images too lays them side by side, as a teacher's does
} pleach_session_opts;

// Compiles `graph` for `device` at `batch` images: memory planned, kernels built, launches frozen.
// Copies the graph, borrows `ctx` (the texts of later failures are its) and the device. Weights start from
// opts->seed (He normal).
// Blocks while kernels build, and where no session of this device, driver and version of the kernels
// has passed the self-test yet, while that runs. Fails with PLEACH_ENOMEM (text: bytes needed and
// there), PLEACH_EBUILD (compiler's log), PLEACH_EDEVICE (what the device computes wrongly; see
// pleach_device_opts.allow_broken).
pleach_status pleach_session_create(pleach_ctx *ctx, const pleach_graph *graph,
                                    pleach_device *device, int batch,
                                    const pleach_session_opts *opts, pleach_session **session);
void pleach_session_destroy(pleach_session **session);

const pleach_graph *pleach_session_graph(const pleach_session *session);
int pleach_session_batch(const pleach_session *session);

// Logits of `n` <= batch uint8 images [n][C][H][W], normalised as opts say: logits [n][classes], or
// [n][C][H][W] where the network gives maps. Blocks. Fails with PLEACH_EUSAGE for another `n`.
pleach_status pleach_session_predict(pleach_session *session, const unsigned char *images, int n,
                                     float *logits);

#ifdef __cplusplus
}
#endif

#endif
