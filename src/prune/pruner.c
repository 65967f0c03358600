// Masks on the device, and what a pruned or returned channel loses.
#include <prune/pruner.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <exec/self_test.h>
#include <ops/arena_launch.h>
#include <prune/device_slices.h>

struct plc_pruner {
    pleach_session *session; // borrowed
    int n_classes;
    plc_device_slices produced, filters;
    plc_buffer *kept, *chosen, *class_of; // owned
    plc_launch_list mask_list, zero_filters, zero_moments;
};

static pleach_status upload_slices(plc_pruner *p, const plc_channels *channels, int kinds,
                                   plc_device_slices *uploaded)
{
    pleach_status status = PLEACH_OK;
    pleach_session *s = p->session;
    plc_slices slices = {0};

    TRY(plc_slices_create(s->ctx, s->graph, s->layout, channels, kinds, &slices));
    TRY(plc_device_slices_create(s->device, &slices, p->n_classes, uploaded));
done:
    plc_slices_finish(&slices);
    return status;
}

// The class of each factor in the mask arena; -1 where nothing is ever pruned.
static pleach_status upload_mask_classes(plc_pruner *pruner, const plc_channels *channels)
{
    pleach_status status = PLEACH_OK;
    pleach_session *s = pruner->session;
    int *class_of = NULL;

    TRY(plc_alloc(s->ctx, (size_t)s->n_mask_floats + 1, sizeof *class_of, &class_of));
    for (int node = 0; node < s->graph->n_nodes; node++)
        for (int c = 0; s->mask_offsets[node] >= 0 && c < s->graph->nodes[node].shape.c; c++) {
            const int class_id = plc_channels_class(channels, node, c);
            const int group = plc_channels_group_of(channels, class_id);
            class_of[s->mask_offsets[node] + c] =
                plc_channels_group(channels, group)->frozen ? -1 : class_id;
        }
    TRY(plc_buffer_upload(s->device, "mask classes", class_of,
                          (size_t)s->n_mask_floats * sizeof *class_of, &pruner->class_of));
done:
    free(class_of);
    return status;
}

static pleach_status add_mask(plc_pruner *p)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_append_mask_scatter(&p->mask_list, p->kept, p->class_of, p->session->masks,
                                p->session->n_mask_floats));
    TRY(plc_launch_list_freeze(&p->mask_list));
done:
    return status;
}

static pleach_status add_zero(plc_pruner *p, plc_launch_list *list, const plc_device_slices *slices,
                              plc_buffer *arena)
{
    pleach_status status = PLEACH_OK;
    plc_launch *launch = NULL;

    TRY(plc_launch_add(list, "prune", "zero_slices", "", &launch));
    plc_launch_arg_buffer(launch, arena);
    plc_launch_arg_buffer(launch, slices->slices);
    plc_launch_arg_buffer(launch, slices->starts);
    plc_launch_arg_buffer(launch, p->chosen);
    plc_launch_arg_int(launch, p->n_classes);
    plc_launch_items(launch, (size_t)p->n_classes);
done:
    return status;
}

static pleach_status add_launches(plc_pruner *p)
{
    pleach_status status = PLEACH_OK;

    TRY(add_mask(p));
    TRY(add_zero(p, &p->zero_filters, &p->filters, p->session->weights));
    TRY(plc_launch_list_freeze(&p->zero_filters));
    for (int i = 0; i < PLC_MAX_OPTIMIZER_ARENAS; i++)
        if (p->session->moments[i])
            TRY(add_zero(p, &p->zero_moments, &p->produced, p->session->moments[i]));
    TRY(plc_launch_list_freeze(&p->zero_moments));
done:
    return status;
}

pleach_status plc_pruner_create(pleach_session *session, const plc_channels *channels,
                                plc_pruner **out)
{
    pleach_status status = PLEACH_OK;
    plc_pruner *p = NULL;
    pleach_device *device = session->device;

    TRY(plc_alloc(session->ctx, 1, sizeof *p, &p));
    p->session = session;
    p->n_classes = plc_channels_n_classes(channels);
    plc_launch_list *lists[] = {&p->mask_list, &p->zero_filters, &p->zero_moments};
    for (int i = 0; i < 3; i++)
        plc_launch_list_init(lists[i], device);
    TRY(plc_self_test_require(device, PLC_SELF_TEST_REWRITE));
    TRY(upload_slices(p, channels, PLC_SLICES_PRODUCERS | PLC_SLICES_VECTORS, &p->produced));
    TRY(upload_slices(p, channels, PLC_SLICES_PRODUCERS, &p->filters));
    TRY(upload_mask_classes(p, channels));
    TRY(plc_buffer_create(device, "kept classes", (size_t)p->n_classes, &p->kept));
    TRY(plc_buffer_create(device, "chosen classes", (size_t)p->n_classes, &p->chosen));
    TRY(add_launches(p));
    *out = p;
    p = NULL;
done:
    plc_pruner_destroy(&p);
    return status;
}

void plc_pruner_destroy(plc_pruner **pruner)
{
    plc_pruner *p = *pruner;

    if (p == NULL)
        return;
    pleach_device *device = p->session->device;
    plc_device_settle(device); // nothing may still use what goes
    plc_launch_list_finish(&p->mask_list);
    plc_launch_list_finish(&p->zero_filters);
    plc_launch_list_finish(&p->zero_moments);
    plc_buffer **buffers[] = {&p->kept, &p->chosen, &p->class_of};
    plc_device_slices_finish(device, &p->produced);
    plc_device_slices_finish(device, &p->filters);
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        plc_buffer_destroy(device, buffers[i]);
    free(p);
    *pruner = NULL;
}

pleach_status plc_pruner_set_masks(plc_pruner *p, const unsigned char *kept)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_buffer_write(p->session->device, p->kept, 0, (size_t)p->n_classes, kept));
    TRY(plc_launch_list_run(&p->mask_list));
    plc_session_touch(p->session);
done:
    return status;
}

static pleach_status zero(plc_pruner *p, plc_launch_list *list, const unsigned char *chosen)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_buffer_write(p->session->device, p->chosen, 0, (size_t)p->n_classes, chosen));
    TRY(plc_launch_list_run(list));
    plc_session_touch(p->session);
done:
    return status;
}

pleach_status plc_pruner_zero_filters(plc_pruner *p, const unsigned char *chosen)
{
    return zero(p, &p->zero_filters, chosen);
}

pleach_status plc_pruner_zero_moments(plc_pruner *p, const unsigned char *chosen)
{
    return zero(p, &p->zero_moments, chosen);
}
