// Scores and masks on the device.
#include <prune/pruner.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <base/random.h>
#include <base/text.h>
#include <exec/self_test.h>
#include <ops/arena_launch.h>
#include <prune/slices.h>

static const struct {
    const char *name;
    int slices; // PLC_SLICES_ kinds that it reads; 0: none
    int norm;   // PRUNE_
} scores_table[] = {
    [PLC_SCORE_L1] = {"l1", PLC_SLICES_PRODUCERS | PLC_SLICES_CONSUMERS, PRUNE_L1},
    [PLC_SCORE_L2] = {"l2", PLC_SLICES_PRODUCERS | PLC_SLICES_CONSUMERS, PRUNE_L2},
    [PLC_SCORE_BN] = {"bn", PLC_SLICES_GAMMA, PRUNE_MEAN},
    [PLC_SCORE_RANDOM] = {"random", 0, PRUNE_L1},
};
enum { N_SCORES = sizeof scores_table / sizeof scores_table[0] };

// Slices on the device.
typedef struct device_slices {
    plc_buffer *slices, *starts; // owned
} device_slices;

struct plc_pruner {
    pleach_session *session; // borrowed
    plc_score score;
    unsigned long long seed;
    int n_classes;
    device_slices scored, produced;
    plc_buffer *scores, *kept, *chosen, *class_of; // owned
    plc_launch_list score_list, mask_list, zero_weights, zero_moments;
};

pleach_status plc_score_parse(pleach_ctx *ctx, const char *name, plc_score *score)
{
    const char *names[N_SCORES];

    for (int i = 0; i < N_SCORES; i++) {
        names[i] = scores_table[i].name;
        if (strcmp(names[i], name) == 0) {
            *score = (plc_score)i;
            return PLEACH_OK;
        }
    }
    const char *nearest = plc_nearest_name(name, names, N_SCORES);
    return plc_fail(ctx, PLEACH_EUSAGE, "no score '%s'; there are l1, l2, bn and random%s%s%s",
                    name, nearest ? "; did you mean '" : "", nearest ? nearest : "",
                    nearest ? "'?" : "");
}

static pleach_status upload(pleach_device *device, const char *name, const void *data, size_t bytes,
                            plc_buffer **buffer)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_buffer_create(device, name, bytes, buffer));
    if (bytes > 0)
        TRY(plc_buffer_write(device, *buffer, 0, bytes, data));
done:
    return status;
}

static pleach_status check_all_have_slices(pleach_ctx *ctx, const pleach_graph *graph,
                                           const plc_channels *channels, const plc_slices *slices)
{
    for (int g = 0; g < plc_channels_n_groups(channels); g++) {
        const plc_group *group = plc_channels_group(channels, g);
        for (int i = 0; i < group->n_classes && !group->frozen; i++)
            if (slices->starts[group->classes[i]] == slices->starts[group->classes[i] + 1])
                return plc_fail(ctx, PLEACH_EUSAGE,
                                "score bn: the channels of '%s' pass no batch norm; use --score l2",
                                graph->nodes[group->first_node].name);
    }
    return PLEACH_OK;
}

static pleach_status upload_slices(plc_pruner *pruner, const plc_channels *channels, int kinds,
                                   bool needs_all, device_slices *out)
{
    pleach_status status = PLEACH_OK;
    pleach_session *s = pruner->session;
    plc_slices slices = {0};

    TRY(plc_slices_create(s->ctx, s->graph, s->layout, channels, kinds, &slices));
    if (needs_all)
        TRY(check_all_have_slices(s->ctx, s->graph, channels, &slices));
    TRY(upload(s->device, "slices", slices.items, (size_t)slices.n_items * sizeof *slices.items,
               &out->slices));
    TRY(upload(s->device, "slice starts", slices.starts,
               ((size_t)pruner->n_classes + 1) * sizeof *slices.starts, &out->starts));
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
    TRY(upload(s->device, "mask classes", class_of, (size_t)s->n_mask_floats * sizeof *class_of,
               &pruner->class_of));
done:
    free(class_of);
    return status;
}

static pleach_status add_score(plc_pruner *p)
{
    pleach_status status = PLEACH_OK;
    plc_launch *launch = NULL;

    TRY(plc_launch_add(&p->score_list, "prune", "score_norm", "", &launch));
    plc_launch_arg_buffer(launch, p->session->weights);
    plc_launch_arg_buffer(launch, p->scored.slices);
    plc_launch_arg_buffer(launch, p->scored.starts);
    plc_launch_arg_buffer(launch, p->scores);
    plc_launch_arg_int(launch, p->n_classes);
    plc_launch_arg_int(launch, scores_table[p->score].norm);
    plc_launch_items(launch, (size_t)p->n_classes);
    TRY(plc_launch_list_freeze(&p->score_list));
done:
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

static pleach_status add_zero(plc_pruner *p, plc_launch_list *list, plc_buffer *arena)
{
    pleach_status status = PLEACH_OK;
    plc_launch *launch = NULL;

    TRY(plc_launch_add(list, "prune", "zero_slices", "", &launch));
    plc_launch_arg_buffer(launch, arena);
    plc_launch_arg_buffer(launch, p->produced.slices);
    plc_launch_arg_buffer(launch, p->produced.starts);
    plc_launch_arg_buffer(launch, p->chosen);
    plc_launch_arg_int(launch, p->n_classes);
    plc_launch_items(launch, (size_t)p->n_classes);
done:
    return status;
}

static pleach_status add_launches(plc_pruner *p)
{
    pleach_status status = PLEACH_OK;

    if (scores_table[p->score].slices)
        TRY(add_score(p));
    TRY(add_mask(p));
    TRY(add_zero(p, &p->zero_weights, p->session->weights));
    TRY(plc_launch_list_freeze(&p->zero_weights));
    for (int i = 0; i < PLC_MAX_OPTIMIZER_ARENAS; i++)
        if (p->session->moments[i])
            TRY(add_zero(p, &p->zero_moments, p->session->moments[i]));
    TRY(plc_launch_list_freeze(&p->zero_moments));
done:
    return status;
}

pleach_status plc_pruner_create(pleach_session *session, const plc_channels *channels,
                                plc_score score, unsigned long long seed, plc_pruner **out)
{
    pleach_status status = PLEACH_OK;
    plc_pruner *p = NULL;
    pleach_device *device = session->device;

    TRY(plc_alloc(session->ctx, 1, sizeof *p, &p));
    p->session = session;
    p->score = score;
    p->seed = seed;
    p->n_classes = plc_channels_n_classes(channels);
    plc_launch_list *lists[] = {&p->score_list, &p->mask_list, &p->zero_weights, &p->zero_moments};
    for (int i = 0; i < 4; i++)
        plc_launch_list_init(lists[i], device);
    TRY(plc_self_test_require(device, PLC_SELF_TEST_REWRITE));
    if (scores_table[score].slices)
        TRY(upload_slices(p, channels, scores_table[score].slices, score == PLC_SCORE_BN,
                          &p->scored));
    TRY(upload_slices(p, channels, PLC_SLICES_PRODUCERS | PLC_SLICES_VECTORS, false, &p->produced));
    TRY(upload_mask_classes(p, channels));
    TRY(plc_buffer_create(device, "scores", (size_t)p->n_classes * sizeof(float), &p->scores));
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
    plc_launch_list_finish(&p->score_list);
    plc_launch_list_finish(&p->mask_list);
    plc_launch_list_finish(&p->zero_weights);
    plc_launch_list_finish(&p->zero_moments);
    plc_buffer **buffers[] = {&p->scored.slices,   &p->scored.starts, &p->produced.slices,
                              &p->produced.starts, &p->scores,        &p->kept,
                              &p->chosen,          &p->class_of};
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        plc_buffer_destroy(device, buffers[i]);
    free(p);
    *pruner = NULL;
}

pleach_status plc_pruner_score(plc_pruner *p, unsigned update, float *scores)
{
    pleach_status status = PLEACH_OK;

    if (p->score == PLC_SCORE_RANDOM) {
        plc_random_fill_uniform(p->seed, PLC_STREAM_SELECT, update, 0.0f, 1.0f, scores,
                                (size_t)p->n_classes);
        return PLEACH_OK;
    }
    TRY(plc_launch_list_run(&p->score_list));
    TRY(plc_buffer_read(p->session->device, p->scores, 0, (size_t)p->n_classes * sizeof *scores,
                        scores));
done:
    return status;
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

pleach_status plc_pruner_zero_weights(plc_pruner *p, const unsigned char *chosen)
{
    return zero(p, &p->zero_weights, chosen);
}

pleach_status plc_pruner_zero_moments(plc_pruner *p, const unsigned char *chosen)
{
    return zero(p, &p->zero_moments, chosen);
}
