// Jobs: train a network, or compress one, in a run directory that can be resumed.
#ifndef PLEACH_RUN_H
#define PLEACH_RUN_H

#include <stdbool.h>
#include <pleach/device.h>
#include <pleach/graph.h>

#ifdef __cplusplus
extern "C" {
#endif

// Every option of a job once: X(kind, field, long option, default, argument, commands, help).
// Kinds: TEXT INT FLOAT FLAG SEED. Commands: T train, C compress. The same table makes the fields of
// pleach_run_opts, the command line's options and config.json.
// clang-format off
#define PLEACH_RUN_OPTIONS(X)                                                                      \
    X(TEXT, model, "model", "", "NAME|FILE", "TC", "network by name (resnet20, resnet56, vgg16, mobilenet_v2 and others), or a model file to start from") \
    X(TEXT, data, "data", "fashion-mnist", "SET[:DIR]", "TC", "fashion-mnist (default), mnist:DIR, cifar10:DIR, cifar100:DIR, folder:DIR[,OPTION...] or pack:FILE (see `pleach data --help`)") \
    X(TEXT, out, "out", "", "DIR", "TC", "run directory (default runs/<command>-<model>-<data>)")  \
    X(INT, epochs, "epochs", 12, "N", "TC", "epochs in all phases together")                       \
    X(INT, batch, "batch", 128, "N", "TC", "images per step")                                      \
    X(TEXT, optimizer, "optimizer", "sgd", "sgd|adamw", "TC", "optimizer")                         \
    X(FLOAT, learning_rate, "lr", 0.2, "X", "TC", "largest learning rate")                         \
    X(FLOAT, momentum, "momentum", 0.9, "X", "TC", "momentum of sgd, first decay of adamw")        \
    X(FLAG, no_nesterov, "no-nesterov", false, NULL, "TC", "plain momentum")                       \
    X(FLOAT, weight_decay, "weight-decay", 5e-4, "X", "TC", "decay of all parameters")             \
    X(TEXT, schedule, "schedule", "one-cycle", "one-cycle|two-cycles|cosine|step", "TC", "learning rate over the job; of two cycles the first ends with the dense epochs, where there are any") \
    X(FLOAT, warmup, "warmup", 0.2, "X", "TC", "share of the steps in which the rate rises")       \
    X(FLOAT, label_smoothing, "label-smoothing", 0.0, "X", "TC", "0 to 1")                         \
    X(INT, crop, "crop", -1, "N", "TC", "random crop after padding by N pixels (-1: as the data set usually is)") \
    X(INT, flip, "flip", -1, "0|1", "TC", "random horizontal flip (-1: as the data set usually is)") \
    X(SEED, seed, "seed", 0, "N", "TC", "seed of weights, order and augmentation")                 \
    X(TEXT, mean, "mean", "", "X,...", "TC", "mean per channel of pixels from 0 to 1 (default: the model file's, else the data set's)") \
    X(TEXT, std, "std", "", "X,...", "TC", "standard deviation per channel, the same") \
    X(FLAG, unfold, "unfold", false, NULL, "TC", "a model file's convolutions without a batch norm get one, which leaves the function as it is: for networks whose exporter has folded them")   \
    X(TEXT, precision, "precision", "float", "float|half", "TC", "storage of values, as the device was opened") \
    X(INT, limit, "limit", 0, "N", "TC", "use only the first N training and N test images (0: all)") \
    X(INT, calibration, "calibration", 1000, "N", "TC", "training images held aside for decisions") \
    X(FLOAT, macs, "macs", 0.0, "X", "C", "keep this share of the computations")                   \
    X(FLOAT, params, "params", 0.0, "X", "C", "keep this share of the parameters")                 \
    X(FLOAT, latency, "latency", 0.0, "MS", "C", "keep what takes MS milliseconds per inference on this device; beside --macs and --params all must hold. As it is measured, the seed alone no longer gives the same bits, a resumed run goes on with what was measured") \
    X(INT, latency_batch, "latency-batch", 1, "N", "C", "images per inference of --latency and --rank latency") \
    X(TEXT, score, "score", "l2", "l1|l2|bn|taylor|fpgm|redundancy|random", "C", "score of a channel")         \
    X(TEXT, rank, "rank", "score", "score|macs|latency", "C", "rank by score, or by what a group loses of it per computation or millisecond saved") \
    X(TEXT, recover, "recover", "gradient", "gradient|soft|none", "C", "how a pruned channel may return") \
    X(FLOAT, band, "band", 0.03, "X", "C", "width of the band in which a mask keeps its state")    \
    X(INT, update_steps, "update-steps", 0, "N", "C", "steps between mask updates (0: an epoch, or less so that there are eight)")  \
    X(INT, settle, "settle", 3, "N", "C", "compact channels away once pruned for N updates, 0: at the phase's end") \
    X(INT, min_channels, "min-channels", 1, "N", "C", "fewest channels that a group keeps (where a layer is depthwise two at least)")        \
    X(INT, round_to, "round-to", 1, "N", "C", "groups keep multiples of N channels, for devices that need it") \
    X(FLOAT, max_ratio, "max-ratio", 1.0, "X", "C", "largest share that a group may lose")         \
    X(TEXT, keep, "keep", "", "NAME,...", "C", "nodes that stay with all their channels, and the residual blocks that they lie in or end") \
    X(INT, drop, "drop", -1, "N", "C", "residual blocks to drop (-1: as many as cost half a point or less before tuning, a quarter at most)") \
    X(FLOAT, fuse, "fuse", 0.0, "X", "C", "drop and merge residual blocks until this share of the pruned network's cost is left (0: drop as --drop says)") \
    X(TEXT, fuse_cost, "fuse-cost", "macs", "macs|layers|latency", "C", "what --fuse counts: computations, convolutions, or milliseconds per inference of --latency-batch images") \
    X(TEXT, plan, "plan", "", "FILE", "C", "keep, drop and merge residual blocks as this file says, a run's plan.json or one edited") \
    X(INT, dense_epochs, "dense-epochs", 0, "N", "C", "epochs before pruning (0: a twelfth; none where --model is a file)") \
    X(INT, prune_epochs, "prune-epochs", 0, "N", "C", "epochs of pruning (0: a sixth)")            \
    X(INT, fade_epochs, "fade-epochs", 0, "N", "C", "epochs in which dropped and merged blocks fade (0: a twelfth)") \
    X(FLOAT, distill, "distill", 0.0, "W", "C", "share of the dense network's logits in the loss after the dense epochs") \
    X(FLOAT, temperature, "temperature", 2.0, "T", "C", "softness at which they are imitated")      \
    X(TEXT, controls, "controls", "", "dense,scratch,cnn5,random", "C", "networks for comparison after as many epochs: the dense one, the result's architecture from scratch, a plain one, pruned at random")
// clang-format on

typedef struct pleach_run_opts {
#define PLEACH_FIELD_TEXT(field) const char *field;
#define PLEACH_FIELD_INT(field) int field;
#define PLEACH_FIELD_FLOAT(field) double field;
#define PLEACH_FIELD_FLAG(field) bool field;
#define PLEACH_FIELD_SEED(field) unsigned long long field;
#define X(kind, field, option, value, argument, commands, help) PLEACH_FIELD_##kind(field)
    PLEACH_RUN_OPTIONS(X)
#undef X
} pleach_run_opts;

// The defaults of the table.
void pleach_run_opts_init(pleach_run_opts *opts);

// What a job tells while it runs, some times a second.
typedef struct pleach_progress {
    // Texts live until the callback returns.
    const char *device;  // its name
    const char *network; // "" for the main one, else which control: "dense", "scratch", "cnn5"...
    const char *phase;   // "dense", "prune", "fade" or "tune"
    int epoch, n_epochs; // 1-based, of the job
    int step, n_steps;   // in the epoch
    double images_per_second, loss, accuracy; // means of the epoch so far, of training images
    double macs_kept, params_kept;            // shares of the dense network, 0 to 1
    double seconds_left;
    bool epoch_done; // the epoch's last line
} pleach_progress;

typedef void pleach_progress_fn(void *user, const pleach_progress *progress);

// A job writes into the run directory: config.json, log.jsonl, checkpoint.safetensors, models, plan.json, plan-given.json,
// plan-given.json (a copy of --plan),// report.json, report.html. A directory that holds a run is refused unless `resume`: then the run goes
// on from its checkpoint, with the options of its config.json, on a device of the same precision.
typedef struct pleach_job {
    pleach_run_opts opts;
    const char *resume;           // run directory to go on with, or NULL
    pleach_progress_fn *progress; // may be NULL
    void *user;
    const volatile int *stop; // not 0 saves and ends the job: a signal handler may set it; or NULL
} pleach_job;

// Block until the job has ended; `progress` is called on this thread. Texts of `job` are borrowed meanwhile.
// Fail with PLEACH_EDIVERGED (the last good checkpoint is kept), PLEACH_EINTERRUPTED (after saving), PLEACH_EUSAGE (an
// option), PLEACH_EINPUT, PLEACH_EIO and PLEACH_EGRAPH (data, model, run directory), and as pleach_session_create does.
pleach_status pleach_train(pleach_ctx *ctx, pleach_device *device, const pleach_job *job);
pleach_status pleach_compress(pleach_ctx *ctx, pleach_device *device, const pleach_job *job);

// Sets an option by its name on the command line, without dashes: ("macs", "0.5"); a flag by "true" or "false".
// Texts are borrowed. Fails with PLEACH_EUSAGE: unknown (text gives the nearest), or not of its kind.
pleach_status pleach_run_opts_set(pleach_ctx *ctx, pleach_run_opts *opts, const char *name,
                                  const char *value);

// A job for callers that have no C structs: `command` is "train" or "compress", `options` are names and values in
// turn, NULL behind the last. The other arguments are fields of pleach_job, and may be NULL. Fails as
// pleach_run_opts_set, pleach_train and pleach_compress do.
pleach_status pleach_job_run(pleach_ctx *ctx, pleach_device *device, const char *command,
                             const char *const *options, const char *resume,
                             pleach_progress_fn *progress, void *user, const volatile int *stop);

#ifdef __cplusplus
}
#endif

#endif
