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
#include <fuse/plan.h>
#include <price/latency.h>
#include <prune/pruner.h>
#include <prune/scores.h>
#include <prune/select.h>
#include <rewrite/edits.h>
#include <report/report.h>
#include <run/directory.h>
#include <run/input.h>
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
    pleach_dataset *dataset;         // owned
    plc_normalisation normalisation; // of its images: plc_run_normalise
    int phase_ends[PLC_PHASE_DONE];  // epoch in which each phase ends

    // State: what a checkpoint holds, besides the arenas and the graph.
    int network; // 0: the main one; i: control i-1 of --controls
    plc_phase phase;
    unsigned char *mask; // owned, per class while pruning, else NULL: all kept
    unsigned char *
        pruned_for; // owned with it: updates in a row that the class was pruned, to PLC_RUN_MAX_SETTLE
    plc_settled *settled; // owned with them: per group, what --settle has compacted away
    int n_settled;        // those classes of all groups, also of groups that went whole
    unsigned n_updates;   // mask updates so far
    char *dropping;       // owned: names of the adds whose blocks fade, a line each; or NULL
    double train_seconds; // of this network so far
    long long dense_macs, dense_params;
    double dense_latency_ms, latency_scale; // of --latency, see latency.c; 0: not measured yet
    plc_report report;

    // What is made from the state.
    pleach_session *session; // owned, as all of these
    pleach_session *teacher; // while distilling: the dense network, folded
    plc_optimizer *optimizer;
    plc_trainer *trainer;
    plc_channels *channels; // while pruning
    plc_scorer *scorer;
    plc_pruner *pruner;
    plc_blocks *blocks;      // while pruning
    int *block_of_group;     // while pruning: plc_blocks_of_groups
    plc_blocks *fading;      // blocks of the session's graph, while fading
    plc_latency *latency;    // from its first use on
    double started, counted; // up to when the report's seconds and train_seconds are counted
    double epoch_started, told, step_seconds;
    int epoch_first_step; // where this process began the epoch: not 0 after a resumption
} plc_run;

const char *plc_phase_name(plc_phase phase);
const char *plc_run_network_name(const plc_run *run); // "" for the main one

// run.c: adds what has passed to train_seconds; to the report its seconds and the most memory so far, of all processes
// that the run had; and says in the report on which device it goes on.
void plc_run_count_training(plc_run *run);
void plc_run_count_totals(plc_run *run);
pleach_status plc_run_describe_device(plc_run *run);
// Fails with PLEACH_EUSAGE where the run was begun by another command than the job's.
pleach_status plc_run_check_command(const plc_run *run, const char *command);

// network.c: the network that is being trained. Takes graph. `unfold`: as --unfold says, where weights are given.
// `position` NULL: from the beginning.
pleach_status plc_run_start_network(plc_run *run, pleach_graph *graph, const float *weights,
                                    bool unfold);
pleach_status plc_run_start_trainer(plc_run *run, const plc_position *position);
// The session rewritten by `edits` to one of `graph`, which takes its place. Its values go before the new one's are
// made: the device need not have room for both.
pleach_status plc_run_rewrite(plc_run *run, const pleach_graph *graph, const plc_edits *edits);
void plc_run_finish_network(plc_run *run);
// From the metadata of the file that the network comes from; NULL: it comes from none.
pleach_status plc_run_normalise(plc_run *run, const plc_tensors *extra);
pleach_status plc_run_first_graph(plc_run *run, pleach_graph **graph, float **weights);

// unfold.c: replaces run->session by one of the same function in which convolutions have batch norms
// (rewrite/unfold.h). Before there is an optimizer.
pleach_status plc_run_unfold(plc_run *run);

// controls.c: networks for comparison, trained after the main one. They are a row of the report and nothing else
// of it: what they cost, prune or drop is not told.
pleach_status plc_run_control_graph(plc_run *run, pleach_graph **graph, float **weights);
int plc_run_n_controls(const plc_run *run);
bool plc_run_is_main(const plc_run *run);
bool plc_run_compresses(
    const plc_run *run); // goes through all phases: the main network, and "random"
void plc_run_spend(plc_run *run, double *cost_ms, double seconds); // adds to a cost of the method

// keep.c: --keep.
// The names in `list`, whose bytes are those of `names`; the caller frees both.
pleach_status plc_run_keep_names(plc_run *run, char **names, const char ***list, int *n_names);
// Whether the first network has these nodes: before anything is trained.
pleach_status plc_run_check_keep(plc_run *run);
// kept [n_items]: blocks with one of these nodes, which go neither by emptying nor by fusion.
pleach_status plc_run_mark_kept_blocks(plc_run *run, const pleach_graph *graph,
                                       const plc_blocks *blocks, bool *kept);

// masks.c: the pruning phase.
pleach_status plc_run_start_pruning(plc_run *run);
void plc_run_finish_pruning(plc_run *run);
// A digit per class ("1101..." of run->mask) for logs and checkpoints; JSON's null for NULL.
json_t *plc_run_class_digits(const plc_run *run, const unsigned char *values);
// Writes run->mask to the device. The gate of a residual block whose branch has lost all channels of a
// group inside is closed, and open again when one returns: its constant goes as a pruned channel's does.
pleach_status plc_run_set_masks(plc_run *run);
pleach_status plc_run_update_masks(plc_run *run); // after each step; does something when one is due

// What masks may leave at `progress` (0 to 1) of the ramp where `target` is left at its end; shares of the dense
// cost.
double plc_run_ramp(double target, double progress);

// selection.c: what a mask update selects.
// Whether the first network has the nodes of --keep, what --score looks at, and can come down to the targets in
// computations and parameters: before anything is trained.
pleach_status plc_run_check_pruning(plc_run *run);
// A selection for `budgets` with the job's options; `mask` NULL: everything was kept.
pleach_status plc_run_select(plc_run *run, const pleach_graph *graph, const plc_channels *channels,
                             const float *scores, const unsigned char *mask,
                             const plc_budget *budgets, int n_budgets, plc_selection *selection);
// The selection that leaves the least that the options allow.
pleach_status plc_run_select_least(plc_run *run, const pleach_graph *graph,
                                   const plc_channels *channels, plc_selection *selection);
// The selection of a mask update.
pleach_status plc_run_choose(plc_run *run, float *scores, double progress,
                             plc_selection *selection);

// latency.c: the targets, and what is measured for --latency. All but plc_run_measure_latency do nothing without
// that option.
bool plc_run_has_latency(const plc_run *run);
// Before training: measures the dense network; fails with PLEACH_EUSAGE where pruning cannot reach the target.
pleach_status plc_run_check_latency(plc_run *run, const pleach_graph *graph);
// Before pruning: measures the dense network again, from which the ramp begins.
pleach_status plc_run_measure_dense(plc_run *run, const pleach_graph *graph);
// plc_run_choose; near the ramp's end the chosen network is measured, at the end until it meets the target.
pleach_status plc_run_choose_by_latency(plc_run *run, float *scores, double progress,
                                        plc_selection *selection);
// A plc_price_fn of milliseconds; `user` is the run.
pleach_status plc_run_price(void *user, const pleach_graph *graph, const plc_channels *channels,
                            const unsigned char *mask, double *ms);
// Milliseconds of an inference of --latency-batch images (plc_latency_measure).
pleach_status plc_run_measure_latency(plc_run *run, const pleach_graph *graph, bool roughly,
                                      double *ms);
enum { PLC_RUN_MAX_BUDGETS = 3 };
int plc_run_budgets(const plc_run *run, double progress, plc_budget budgets[PLC_RUN_MAX_BUDGETS]);
pleach_status plc_run_report_targets(plc_run *run);

// compaction.c: the network without the classes that are not kept. Scorer and pruner go with the old one.
pleach_status plc_run_compact(plc_run *run, const unsigned char *kept);
// After a mask update by `scores`: compacts away what has been pruned for --settle updates; pruning goes on with what
// is left.
pleach_status plc_run_settle(plc_run *run, const float *scores);

// teacher.c: distillation. Made of the dense network at the end of its phase, or of its model file in a run
// that is resumed; nothing happens without --distill.
bool plc_run_distills(const plc_run *run);
pleach_status
plc_run_check_teacher(plc_run *run); // whether the device has room for one: before training
pleach_status plc_run_make_teacher(plc_run *run, pleach_session *dense);
pleach_status plc_run_restore_teacher(plc_run *run);
pleach_status plc_run_follow_teacher(plc_run *run); // tells run->session of it

// phases.c: what happens between epochs.
// Running statistics of `session` (of the run's batch and data) from some batches of training images.
pleach_status plc_run_fresh_statistics(plc_run *run, pleach_session *session);
pleach_status plc_run_enter_phase(plc_run *run); // from run->phase to the next one

// plan.c: which residual blocks are dropped or merged.
pleach_status plc_run_check_plan(plc_run *run,
                                 const pleach_graph *dense); // --plan, before all else
// Copies it into the new directory: whatever becomes of the file, a run goes on with what it began with.
pleach_status plc_run_keep_given_plan(plc_run *run);
// Chooses among the session's blocks; saves and reports the plan. The caller owns both, also where it fails.
pleach_status plc_run_make_plan(plc_run *run, plc_blocks **blocks, plc_plan *plan);

// fusion.c: the fade of these blocks, and their rewrites.
pleach_status plc_run_plan_fusion(plc_run *run); // chooses; the network is then ready to fade
pleach_status plc_run_start_fading(plc_run *run);
pleach_status plc_run_fade(plc_run *run); // after each step
pleach_status plc_run_fuse(plc_run *run); // at the end of the fade

// measure.c: a row of the report for the session as it stands.
pleach_status plc_run_measure(plc_run *run, const char *name, pleach_session *session);

// checkpoint.c writes, resume.c reads.
pleach_status plc_run_save(plc_run *run);
pleach_status plc_run_load(plc_run *run, bool *found);
pleach_status plc_run_write_model(plc_run *run, pleach_session *session, const char *name);

// progress.c
pleach_status plc_run_log_epoch(plc_run *run, const plc_metrics *metrics,
                                const plc_metrics *calibration);
pleach_status plc_run_log_event(plc_run *run, const char *event, json_t *fields); // takes fields
pleach_status plc_run_tell(plc_run *run, const plc_metrics *epoch_metrics); // NULL: while it runs

#endif
