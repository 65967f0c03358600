// The running half of a session: arenas, launch lists, one training step, one inference.
#ifndef PLC_EXEC_SESSION_H
#define PLC_EXEC_SESSION_H

#include <pleach/session.h>
#include <exec/plan.h>
#include <ops/augment.h>
#include <ops/softmax_cross_entropy.h>

enum {
    PLC_METRIC_SLOTS = 4096, // steps whose loss waits on the device before it is read
    PLC_MAX_OPTIMIZER_ARENAS = 2,
    PLC_MAX_BATCH = 1 << 16,
};

struct pleach_session {
    pleach_ctx *ctx;           // borrowed
    pleach_device *device;     // borrowed
    pleach_graph *graph;       // owned
    plc_params_layout *layout; // owned
    pleach_session_opts opts;  // mean and std owned
    int batch, n_blocks;
    bool channel_lanes; // inference is on channel lanes (ops/channel_lanes.h)

    // Arenas: the same offsets in all of them.
    plc_buffer *weights, *grads;
    plc_buffer *moments[PLC_MAX_OPTIMIZER_ARENAS]; // optimizer state, made by the optimizer
    plc_buffer *masks; // n_mask_floats factors, see plc_mask_offsets_create
    plc_buffer *gates; // one factor per node
    plc_buffer *scratch_train, *scratch_infer, *workspace;
    int *mask_offsets; // owned, per node
    int n_mask_floats;

    // Data of the current batch.
    plc_buffer *images, *labels; // uint8 [batch][C][H][W], int32 [batch]
    plc_buffer *mean_std;        // floats: C means, C deviations
    plc_buffer *lane_logits;     // for the loss of an inference on channel lanes
    plc_buffer *metrics;         // PLC_METRIC_SLOTS triples {loss sum, correct, images}

    plc_values train_values, train_grads, infer_values;
    plc_sums *train_sums;       // owned, per node, with its buffers
    plc_running *train_running; // owned, per node
    plc_slabs slabs;
    plc_launch_list input_train, input_infer; // augmentation, normalisation
    plc_launch_list train;                    // forward, loss, backward
    int n_forward;                            // launches of `train` that are the forward pass
    plc_launch_list prepare;                  // inference: coefficients from running statistics
    plc_launch_list infer;                    // forward
    plc_launch_list infer_network; // `infer` as one launch (ops/channel_network.h), or empty
    plc_buffer *network_launches, *network_state;
    plc_launch_list infer_loss;
    plc_augment augment_train, augment_infer;
    plc_loss loss_train, loss_infer;
    plc_distillation distillation; // with opts.distillation
    plc_buffer *teacher_logits;
    pleach_session *teacher; // borrowed, or NULL
    bool prepared;           // coefficients are those of the present weights
    size_t activation_bytes;
};

// pleach_session_create without initial weights: for callers that write all of them.
pleach_status plc_session_create_unset(pleach_ctx *ctx, const pleach_graph *graph,
                                       pleach_device *device, int batch,
                                       const pleach_session_opts *opts, pleach_session **session);

// The same without the self-test of the device, which uses it.
pleach_status plc_session_create_untested(pleach_ctx *ctx, const pleach_graph *graph,
                                          pleach_device *device, int batch,
                                          const pleach_session_opts *opts,
                                          pleach_session **session);

// Gives back what the session runs with: launches and the memory of values, most of what it has. Parameters,
// optimizer state and metrics stay, so it can still be rewritten (rewrite/apply.h), read, and destroyed; no more. Waits.
void plc_session_strip(pleach_session *session);

// The launches of the forward pass in inference: joined where they can be, but one by one for a profile.
plc_launch_list *plc_session_inference(pleach_session *session);

// Copies a batch to the device: n images and labels (labels may be NULL). Returns at once; host memory
// must stay until *done.
pleach_status plc_session_upload(pleach_session *session, const unsigned char *images,
                                 const int *labels, int n, cl_event *done);

// Enqueues augmentation, forward, loss and backward of the uploaded batch; its metrics go to
// slot step % PLC_METRIC_SLOTS. Gradients are ready for the optimizer. Does not wait.
pleach_status plc_session_train(pleach_session *session, unsigned step);

// From the next step on `teacher` (borrowed; NULL: nobody) sees each training batch as the session does, and its
// logits have the share `weight` (0 to 1) in the loss. It must be another session on the same device, of the
// same batch, input and classes, with opts.batch_lanes; the session must have opts.distillation.
pleach_status plc_session_set_teacher(pleach_session *session, pleach_session *teacher,
                                      float weight);

// From the next step on all batch norms' running statistics move to each batch's with this momentum; 0: each with its
// own again. For a session that trains.
pleach_status plc_session_set_momentum(pleach_session *session, float momentum);

// Enqueues augmentation and the forward pass in training mode: batch norms take the batch's
// statistics and update the running ones, nothing else changes. Does not wait.
pleach_status plc_session_forward(pleach_session *session, unsigned step);

// The same, calling `after` behind the launches of each step with its anchor's node: the value that this step has
// written still stands in its buffer (train_values) then, and `after` may enqueue what reads it.
typedef pleach_status plc_session_watch(void *user, int node);
pleach_status plc_session_forward_watched(pleach_session *session, unsigned step,
                                          plc_session_watch *after, void *user);

// Enqueues the inference of the uploaded batch; with labels its metrics (of the first n_valid images)
// go to `slot`. Coefficients are computed anew when weights changed since (plc_session_touch).
pleach_status plc_session_infer(pleach_session *session, unsigned slot, int n_valid);

// Inference without upload and loss, for timing.
pleach_status plc_session_infer_only(pleach_session *session);

// Tells that weights, masks or gates have changed.
void plc_session_touch(pleach_session *session);

typedef struct plc_metrics {
    double loss_sum; // of n_images
    double n_correct;
    double n_images;
} plc_metrics;

// Adds the triples of steps [first, first + n), n <= PLC_METRIC_SLOTS, one by one, to *metrics: read in
// one go or in parts, the sums have the same bits. Waits for the device.
pleach_status plc_session_read_metrics(pleach_session *session, unsigned first, unsigned n,
                                       plc_metrics *metrics);

// Whole arenas to and from the host, layout->n_floats floats. For files and tests, never in training.
pleach_status plc_session_read_weights(pleach_session *session, float *weights);
pleach_status plc_session_write_weights(pleach_session *session, const float *weights);

// Initial weights (He normal; gamma 1, beta 0) as a function of the seed and the parameter's place.
void plc_initial_weights(const pleach_graph *graph, const plc_params_layout *layout,
                         unsigned long long seed, float *weights);

// Logits of the batch that ran last, [n][classes] (or images, [n][C][H][W]), from training or inference.
pleach_status plc_session_read_logits(pleach_session *session, bool training, int n, float *logits);

#endif
