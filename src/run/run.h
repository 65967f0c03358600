// A running job: its phases as states that a checkpoint holds and a resumed run goes on from.
//
//   dense --> prune --> (compact, plan) --> fade --> (drop, merge) --> tune --> done, then the control networks
//
// Every transition happens between two epochs and is a function of the state before it, so a run
// that was killed repeats it with the same bits.
#ifndef PLC_RUN_RUN_H
#define PLC_RUN_RUN_H

#include <pleach/run.h>
#include <fuse/importance.h>
#include <prune/pruner.h>
#include <prune/scores.h>
#include <prune/select.h>
#include <report/report.h>
#include <run/directory.h>
#include <run/options.h>
#include <train/trainer.h>

typedef enum plc_phase {
    PLC_PHASE_DENSE,
    PLC_PHASE_PRUNE,
    PLC_PHASE_FADE,
    PLC_PHASE_TUNE,
    PLC_PHASE_DONE,
} plc_phase;

typedef struct plc_run {
    pleach_ctx *ctx;       // borrowed
    pleach_device *device; // borrowed
    const pleach_job *job; // borrowed
    pleach_run_opts opts;  // texts borrowed from the job or from config
    json_t *config;        // owned
    bool compress;
    plc_directory directory;
    pleach_dataset *dataset;        // owned
    int phase_ends[PLC_PHASE_DONE]; // epoch in which each phase ends

    // State: what a checkpoint holds, besides the arenas and the graph.
    int network; // 0: the main one; i: control i-1 of --controls
    plc_phase phase;
    unsigned char *mask; // owned, per class while pruning, else NULL: all kept
    unsigned char *
        pruned_for; // owned with it: updates in a row that the class was pruned, to PLC_RUN_MAX_SETTLE
    int n_settled;        // classes that --settle has compacted away
    unsigned n_updates;   // mask updates so far
    char *dropping;       // owned: names of the adds whose blocks fade, ","-separated; or NULL
    double train_seconds; // of this network so far
    long long dense_macs, dense_params;
    plc_report report;

    // What is made from the state.
    pleach_session *session; // owned, as all of these
    plc_optimizer *optimizer;
    plc_trainer *trainer;
    plc_channels *channels; // while pruning
    plc_scorer *scorer;
    plc_pruner *pruner;
    plc_blocks *blocks;  // while pruning
    int *block_of_group; // while pruning: plc_blocks_of_groups
    plc_blocks *fading;  // blocks of the session's graph, while fading
    double started, epoch_started, told, step_seconds;
    int epoch_first_step; // where this process began the epoch: not 0 after a resumption
} plc_run;

const char *plc_phase_name(plc_phase phase);
const char *plc_run_network_name(const plc_run *run); // "" for the main one

// network.c: the network that is being trained. Takes graph. `position` NULL: from the beginning.
pleach_status plc_run_start_network(plc_run *run, pleach_graph *graph, const float *weights);
pleach_status plc_run_start_trainer(plc_run *run, const plc_position *position);
pleach_status plc_run_replace_session(plc_run *run, pleach_session *session); // takes session
void plc_run_finish_network(plc_run *run);
pleach_status plc_run_first_graph(plc_run *run, pleach_graph **graph, float **weights);
pleach_status plc_run_control_graph(plc_run *run, pleach_graph **graph);
int plc_run_n_controls(const plc_run *run);

// masks.c: the pruning phase.
pleach_status plc_run_start_pruning(plc_run *run);
void plc_run_finish_pruning(plc_run *run);
// A digit per class ("1101..." of run->mask) for logs and checkpoints; JSON's null for NULL.
json_t *plc_run_class_digits(const plc_run *run, const unsigned char *values);
// Writes run->mask to the device. The gate of a residual block whose branch has lost all channels of a
// group inside is closed, and open again when one returns: its constant goes as a pruned channel's does.
pleach_status plc_run_set_masks(plc_run *run);
pleach_status plc_run_update_masks(plc_run *run); // after each step; does something when one is due

// compaction.c: the network without the classes that are not kept. Scorer and pruner go with the old one.
pleach_status plc_run_compact(plc_run *run, const unsigned char *kept);
// After a mask update: compacts away what has been pruned for --settle updates; pruning goes on with what is left.
pleach_status plc_run_settle(plc_run *run);

// phases.c: what happens between epochs.
pleach_status plc_run_enter_phase(plc_run *run); // from run->phase to the next one

// fusion.c: which residual blocks are dropped or merged, their fade, their rewrites.
pleach_status plc_run_check_plan(plc_run *run,
                                 const pleach_graph *dense); // --plan, before all else
pleach_status plc_run_plan_fusion(plc_run *run); // chooses; the network is then ready to fade
pleach_status plc_run_start_fading(plc_run *run);
pleach_status plc_run_fade(plc_run *run); // after each step
pleach_status plc_run_fuse(plc_run *run); // at the end of the fade

// measure.c: a row of the report for the session as it stands.
pleach_status plc_run_measure(plc_run *run, const char *name, pleach_session *session);

// checkpoint.c
pleach_status plc_run_save(plc_run *run);
pleach_status plc_run_load(plc_run *run, bool *found);
pleach_status plc_run_write_model(plc_run *run, pleach_session *session, const char *name);

// progress.c
pleach_status plc_run_log_epoch(plc_run *run, const plc_metrics *metrics,
                                const plc_metrics *calibration);
pleach_status plc_run_log_event(plc_run *run, const char *event, json_t *fields); // takes fields
pleach_status plc_run_tell(plc_run *run, const plc_metrics *epoch_metrics); // NULL: while it runs

#endif
