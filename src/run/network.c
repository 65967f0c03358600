// The network in training: session, optimizer and trainer, made, replaced and freed together.
#include <run/run.h>

#include <stdlib.h>
#include <string.h>
#include <base/file.h>
#include <base/memory.h>
#include <io/model_file.h>
#include <models/models.h>
#include <rewrite/apply.h>

static bool flips_by_default(const char *dataset)
{
    return strcmp(dataset, "mnist") != 0; // mirrored digits are other digits
}

// Pictures of the user's own are cut when they are read.
static int default_crop(const pleach_dataset *data)
{
    if (data->train.pictures)
        return 0;
    return strncmp(data->name, "cifar", 5) == 0 ? 4 : 2;
}

static pleach_session_opts session_opts(const plc_run *run)
{
    const char *dataset = pleach_dataset_name(run->dataset);

    return (pleach_session_opts){
        .seed = run->opts.seed,
        .label_smoothing = (float)run->opts.label_smoothing,
        .crop = run->opts.crop >= 0 ? run->opts.crop : default_crop(run->dataset),
        .flip = run->opts.flip >= 0 ? run->opts.flip : flips_by_default(dataset),
        .mean = run->normalisation.mean,
        .std = run->normalisation.std,
        .mask_gradients = strcmp(run->opts.recover, "none") == 0,
        .distillation = plc_run_distills(run) ? (float)run->opts.temperature : 0.0f,
    };
}

static pleach_status make_optimizer(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    plc_optimizer_opts opts = {.nesterov = !run->opts.no_nesterov,
                               .weight_decay = (float)run->opts.weight_decay};

    TRY(plc_optimizer_parse(run->ctx, run->opts.optimizer, &opts.kind));
    TRY(plc_optimizer_create(run->session, &opts, &run->optimizer));
done:
    return status;
}

pleach_status plc_run_start_network(plc_run *run, pleach_graph *graph, const float *weights,
                                    bool unfold)
{
    pleach_status status = PLEACH_OK;
    const pleach_session_opts opts = session_opts(run);

    if (weights) {
        TRY(plc_session_create_unset(run->ctx, graph, run->device, run->opts.batch, &opts,
                                     &run->session));
        TRY(plc_session_write_weights(run->session, weights));
    } else {
        TRY(pleach_session_create(run->ctx, graph, run->device, run->opts.batch, &opts,
                                  &run->session));
    }
    if (weights && unfold)
        TRY(plc_run_unfold(run));
    TRY(make_optimizer(run));
done:
    pleach_graph_destroy(&graph);
    return status;
}

static pleach_status on_gradients(void *user, plc_trainer *trainer)
{
    plc_run *run = user;

    (void)trainer;
    return run->scorer && plc_scorer_observes(run->scorer) ? plc_scorer_observe(run->scorer)
                                                           : PLEACH_OK;
}

static pleach_status on_step(void *user, plc_trainer *trainer)
{
    pleach_status status = PLEACH_OK;
    plc_run *run = user;

    (void)trainer;
    if (run->phase == PLC_PHASE_PRUNE)
        TRY(plc_run_update_masks(run));
    if (run->phase == PLC_PHASE_FADE)
        TRY(plc_run_fade(run));
    TRY(plc_run_tell(run, NULL));
    if (run->job->stop && *run->job->stop) {
        plc_run_count_training(run);
        TRY(plc_run_save(run));
        FAIL(run->ctx, PLEACH_EINTERRUPTED, "interrupted; go on with --resume %s",
             run->directory.path);
    }
done:
    return status;
}

// Epochs of the first of two cycles: the dense ones of a network that is compressed afterwards.
static int first_cycle(const plc_run *run)
{
    return plc_run_compresses(run) ? run->phase_ends[PLC_PHASE_DENSE] : 0;
}

pleach_status plc_run_start_trainer(plc_run *run, const plc_position *position)
{
    pleach_status status = PLEACH_OK;
    plc_trainer_opts opts = {
        .seed = run->opts.seed, .on_gradients = on_gradients, .on_step = on_step, .user = run};
    const int n_steps = run->dataset->train.n_images / run->opts.batch;

    opts.schedule = (plc_schedule){.n_steps = (unsigned)(n_steps * run->opts.epochs),
                                   .n_first = (unsigned)(n_steps * first_cycle(run)),
                                   .peak = (float)run->opts.learning_rate,
                                   .momentum = (float)run->opts.momentum,
                                   .warmup = (float)run->opts.warmup};
    TRY(plc_schedule_parse(run->ctx, run->opts.schedule, &opts.schedule.kind));
    TRY(plc_trainer_create(run->ctx, run->session, run->optimizer, &run->dataset->train, &opts,
                           position, &run->trainer));
done:
    return status;
}

static pleach_status replace_session(plc_run *run, pleach_session *session)
{
    pleach_status status = PLEACH_OK;
    pleach_session *old = run->session;
    plc_optimizer *old_optimizer = run->optimizer;

    run->session = session;
    run->optimizer = NULL;
    TRY(make_optimizer(run));
    plc_optimizer_set_n_steps(run->optimizer, plc_optimizer_n_steps(old_optimizer));
    TRY(plc_run_follow_teacher(run));
    TRY(plc_trainer_set_session(run->trainer, run->session, run->optimizer));
done:
    if (status != PLEACH_OK)
        plc_trainer_destroy(&run->trainer); // it still runs the old session
    plc_optimizer_destroy(&old_optimizer);
    pleach_session_destroy(&old);
    return status;
}

pleach_status plc_run_rewrite(plc_run *run, const pleach_graph *graph, const plc_edits *edits)
{
    pleach_status status = PLEACH_OK;
    pleach_session *session = NULL;

    plc_session_strip(run->session);
    TRY(plc_rewrite_session(run->session, graph, edits, false, &session));
    TRY(replace_session(run, session));
done:
    return status;
}

void plc_run_finish_network(plc_run *run)
{
    plc_trainer_destroy(&run->trainer);
    plc_run_finish_pruning(run);
    plc_blocks_destroy(&run->fading);
    plc_optimizer_destroy(&run->optimizer);
    pleach_session_destroy(&run->session);
    pleach_session_destroy(&run->teacher);
    free(run->dropping);
    run->dropping = NULL;
}

pleach_status plc_run_normalise(plc_run *run, const plc_tensors *extra)
{
    return plc_normalisation_choose(run->ctx, run->opts.mean, run->opts.std, extra, run->dataset,
                                    &run->normalisation);
}

// The network to start from: a model file where --model names one, else a name. *weights may be NULL.
pleach_status plc_run_first_graph(plc_run *run, pleach_graph **graph, float **weights)
{
    pleach_status status = PLEACH_OK;
    plc_model_file file = {0};
    const pleach_dataset *data = run->dataset;

    if (!plc_model_is_file(run->opts.model)) {
        TRY(pleach_graph_create(run->ctx, run->opts.model, data->channels, data->height,
                                data->width, data->n_classes, graph));
        TRY(plc_run_normalise(run, NULL));
        goto done;
    }
    TRY(plc_model_file_read(run->ctx, run->opts.model, &file));
    TRY(plc_input_check(run->ctx, run->opts.model, file.graph, data));
    TRY(plc_run_normalise(run, &file.extra));
    *graph = file.graph;
    *weights = file.weights;
    file.graph = NULL;
    file.weights = NULL;
done:
    plc_model_file_finish(&file);
    return status;
}
