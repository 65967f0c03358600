// The dense network as a teacher of what becomes of it: --distill.
#include <run/run.h>

#include <stdlib.h>
#include <io/model_file.h>
#include <rewrite/apply.h>
#include <rewrite/fold.h>

bool plc_run_distills(const plc_run *run)
{
    return plc_run_compresses(run) && run->opts.distill > 0;
}

pleach_status plc_run_make_teacher(plc_run *run, pleach_session *dense)
{
    pleach_status status = PLEACH_OK;
    pleach_graph *graph = NULL;
    plc_edits *edits = NULL;
    pleach_session_opts opts = dense->opts;

    if (!plc_run_distills(run))
        return PLEACH_OK;
    opts.inference_only = opts.batch_lanes = true;
    TRY(plc_fold_describe(run->ctx, dense->graph, &graph, &edits, NULL));
    TRY(plc_session_create_unset(run->ctx, graph, run->device, dense->batch, &opts, &run->teacher));
    TRY(plc_rewrite_apply(dense, run->teacher, edits));
    TRY(plc_run_follow_teacher(run));
done:
    plc_edits_destroy(&edits);
    pleach_graph_destroy(&graph);
    return status;
}

pleach_status plc_run_check_teacher(plc_run *run)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_run_make_teacher(run, run->session));
    pleach_session_destroy(&run->teacher);
    if (plc_run_distills(run))
        TRY(plc_session_set_teacher(run->session, NULL, 0));
done:
    return status;
}

pleach_status plc_run_follow_teacher(plc_run *run)
{
    return run->teacher
               ? plc_session_set_teacher(run->session, run->teacher, (float)run->opts.distill)
               : PLEACH_OK;
}

pleach_status plc_run_restore_teacher(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    plc_model_file file = {0};
    pleach_session *dense = NULL;
    char *path = NULL;
    pleach_session_opts opts = run->session->opts;

    if (!plc_run_distills(run) || run->phase == PLC_PHASE_DENSE)
        return PLEACH_OK;
    opts.inference_only = true;
    TRY(plc_directory_file(run->ctx, &run->directory, "dense.safetensors", &path));
    TRY(plc_model_file_read(run->ctx, path, &file));
    TRY(plc_session_create_unset(run->ctx, file.graph, run->device, run->opts.batch, &opts,
                                 &dense));
    TRY(plc_session_write_weights(dense, file.weights));
    plc_session_strip(dense);
    TRY(plc_run_make_teacher(run, dense));
done:
    pleach_session_destroy(&dense);
    plc_model_file_finish(&file);
    free(path);
    return status;
}
