// First launches of kernels, each alone, so that progress can be told.
#include <exec/first_runs.h>

#include <stdlib.h>
#include <base/memory.h>

// Collects the launches whose kernels are new to the process.
static pleach_status find_new(pleach_device *device, const plc_launch_list *list,
                              plc_launch **found, int *n)
{
    pleach_status status = PLEACH_OK;
    bool is_new = false;

    for (int i = 0; i < list->n_items; i++) {
        TRY(plc_kernels_note_launch(device, list->items[i], &is_new));
        if (is_new)
            found[(*n)++] = list->items[i];
    }
done:
    return status;
}

pleach_status plc_session_first_runs(pleach_session *s)
{
    pleach_status status = PLEACH_OK;
    const plc_launch_list *const lists[] = {
        &s->input_train,          &s->train,     &s->prepare, &s->input_infer,
        plc_session_inference(s), &s->infer_loss};
    enum { N_LISTS = sizeof lists / sizeof *lists };
    plc_launch **found = NULL;
    size_t most = 0;
    int n = 0;

    for (int l = 0; l < N_LISTS; l++)
        most += (size_t)lists[l]->n_items;
    TRY(plc_alloc(s->ctx, most, sizeof *found, &found));
    for (int l = 0; l < N_LISTS; l++)
        TRY(find_new(s->device, lists[l], found, &n));
    for (int i = 0; i < n; i++) {
        plc_device_tell(s->device, "building kernels", i + 1, n);
        TRY(plc_launch_run(s->device, found[i]));
        TRY(plc_device_finish(s->device));
    }
    TRY(plc_buffer_fill(s->device, s->metrics, 0, s->metrics->bytes, 0));
done:
    plc_device_tell(s->device, NULL, 0, 0);
    free(found);
    return status;
}
