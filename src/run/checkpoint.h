// What a checkpoint holds besides the network: names that its writing and its reading share.
#ifndef PLC_RUN_CHECKPOINT_H
#define PLC_RUN_CHECKPOINT_H

#include <run/run.h>

#define CHECKPOINT_FILE "checkpoint.safetensors"
// State tensors of the optimizer, and of scores that are means over steps.
extern const char *const plc_moment_names[PLC_MAX_OPTIMIZER_ARENAS];
#define MEANS_NAME "score_means"

// Numbers of the state, X(name in the file and in saved_numbers): all that a run needs to go on, besides
// graph, arenas, mask and the names of fading blocks.
// clang-format off
#define STATE_NUMBERS(X)                                                                           \
    X(network) X(phase) X(step) X(epoch) X(epoch_step) X(loss_sum) X(n_correct) X(n_images)        \
    X(optimizer_steps) X(n_updates) X(n_settled) X(train_seconds) X(dense_macs) X(dense_params) \
    X(dense_latency_ms) X(latency_scale) X(log_bytes)
// clang-format on

// As doubles: whole numbers below 2^53 are exact.
typedef struct saved_numbers {
#define X(name) double name;
    STATE_NUMBERS(X)
#undef X
} saved_numbers;

#endif
