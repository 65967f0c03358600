// Networks that are trained for comparison: --controls.
#include <run/run.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <io/model_file.h>
#include <models/models.h>

const char *const plc_run_control_names[PLC_RUN_N_CONTROL_NAMES] = {"dense", "scratch", "cnn5",
                                                                    "random"};

// The i-th name of --controls into `name`; false when there are fewer.
static bool control_name(const plc_run *run, int i, char *name, size_t size)
{
    const char *at = run->opts.controls;

    for (; *at; i--) {
        const size_t length = strcspn(at, ",");
        if (i == 0) {
            snprintf(name, size, "%.*s", (int)length, at);
            return true;
        }
        at += length + (at[length] == ',');
    }
    return false;
}

int plc_run_n_controls(const plc_run *run)
{
    char name[32];
    int n = 0;

    while (control_name(run, n, name, sizeof name))
        n++;
    return n;
}

const char *plc_run_network_name(const plc_run *run)
{
    char name[32];

    if (run->network == 0 || !control_name(run, run->network - 1, name, sizeof name))
        return "";
    for (int i = 1; i < PLC_RUN_N_CONTROL_NAMES; i++)
        if (strcmp(name, plc_run_control_names[i]) == 0)
            return plc_run_control_names[i];
    return "dense-control"; // no other name passes plc_options_check
}

pleach_status plc_run_control_graph(plc_run *run, pleach_graph **graph, float **weights)
{
    pleach_status status = PLEACH_OK;
    plc_model_file final = {0};
    char *path = NULL;
    const char *name = plc_run_network_name(run);

    if (strcmp(name, "dense-control") == 0 || strcmp(name, "random") == 0) {
        TRY(plc_run_first_graph(run, graph, weights));
        goto done;
    }
    TRY(plc_directory_file(run->ctx, &run->directory, "model.safetensors", &path));
    TRY(plc_model_file_read(run->ctx, path, &final));
    if (strcmp(name, "scratch") == 0)
        TRY(plc_graph_copy(run->ctx, final.graph, graph));
    else
        TRY(plc_model_cnn5_for_macs(run->ctx, final.graph->nodes[0].shape, run->dataset->n_classes,
                                    pleach_graph_macs(final.graph), graph));
done:
    plc_model_file_finish(&final);
    free(path);
    return status;
}

bool plc_run_is_main(const plc_run *run)
{
    return run->network == 0;
}

bool plc_run_compresses(const plc_run *run)
{
    return run->compress &&
           (plc_run_is_main(run) || strcmp(plc_run_network_name(run), "random") == 0);
}

void plc_run_spend(plc_run *run, double *cost_ms, double seconds)
{
    if (plc_run_is_main(run))
        *cost_ms += seconds * 1e3;
}
