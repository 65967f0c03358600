// Scores on the device: norms and distances of weights, means over steps.
#include <prune/scores.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <base/random.h>
#include <base/text.h>
#include <exec/self_test.h>
#include <prune/device_slices.h>
#include <prune/redundancy.h>

static const struct {
    const char *name;
    int slices;     // PLC_SLICES_ kinds that it reads; 0: none
    bool needs_all; // every prunable class must have such slices
    const char *kernel;
    int norm; // of score_norm: PRUNE_
} scores_table[] = {
    [PLC_SCORE_L1] = {"l1", PLC_SLICES_PRODUCERS | PLC_SLICES_CONSUMERS, false, "score_norm",
                      PRUNE_L1},
    [PLC_SCORE_L2] = {"l2", PLC_SLICES_PRODUCERS | PLC_SLICES_CONSUMERS, false, "score_norm",
                      PRUNE_L2},
    [PLC_SCORE_BN] = {"bn", PLC_SLICES_GAMMA, true, "score_norm", PRUNE_MEAN},
    [PLC_SCORE_TAYLOR] = {"taylor", PLC_SLICES_AFFINE, true, "score_taylor", 0},
    [PLC_SCORE_FPGM] = {"fpgm", PLC_SLICES_PRODUCERS, false, "score_distance", 0},
    // The norms that its own kernels (prune/redundancy.c) read.
    [PLC_SCORE_REDUNDANCY] = {"redundancy", PLC_SLICES_PRODUCERS | PLC_SLICES_CONSUMERS, false,
                              "score_norm", PRUNE_L2},
    [PLC_SCORE_RANDOM] = {"random", 0, false, NULL, 0},
};
// What one step adds to the running mean of PLC_SCORE_TAYLOR: a mean over some 50 steps.
static const float taylor_rate = 0.02f;

enum { N_SCORES = sizeof scores_table / sizeof scores_table[0] };

struct plc_scorer {
    pleach_session *session; // borrowed
    plc_score score;
    unsigned long long seed;
    int n_classes;
    plc_device_slices slices;
    plc_buffer *peers, *peers_of; // owned; of PLC_SCORE_FPGM and PLC_SCORE_REDUNDANCY
    plc_redundancy *redundancy;   // owned, as norms; of PLC_SCORE_REDUNDANCY
    plc_buffer *norms;
    const plc_split *images; // borrowed, as kept: of the probe
    const unsigned char *kept;
    plc_buffer *scores; // owned
    plc_launch_list list;
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
    return plc_fail(
        ctx, PLEACH_EUSAGE,
        "no score '%s'; there are l1, l2, bn, taylor, fpgm, redundancy and random%s%s%s", name,
        nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

static pleach_status check_all_have_slices(pleach_ctx *ctx, const pleach_graph *graph,
                                           const plc_channels *channels, const char *score,
                                           const plc_slices *slices)
{
    for (int g = 0; g < plc_channels_n_groups(channels); g++) {
        const plc_group *group = plc_channels_group(channels, g);
        for (int i = 0; i < group->n_classes && !group->frozen; i++)
            if (slices->starts[group->classes[i]] == slices->starts[group->classes[i] + 1])
                return plc_fail(ctx, PLEACH_EUSAGE,
                                "score %s: the channels of '%s' pass no batch norm; use --score l2",
                                score, graph->nodes[group->first_node].name);
    }
    return PLEACH_OK;
}

// Whether the filters of two classes can be compared float by float.
static bool have_same_sizes(const plc_slices *slices, int k, int j)
{
    const int n = slices->starts[k + 1] - slices->starts[k];
    bool same = n == slices->starts[j + 1] - slices->starts[j];

    for (int i = 0; i < n && same; i++) {
        const prune_slice *a = &slices->items[slices->starts[k] + i],
                          *b = &slices->items[slices->starts[j] + i];
        same = a->n_outer == b->n_outer && a->n_inner == b->n_inner;
    }
    return same;
}

static pleach_status check_sizes(pleach_ctx *ctx, const pleach_graph *graph, const plc_group *group,
                                 const plc_slices *slices)
{
    for (int i = 1; i < group->n_classes; i++)
        if (!have_same_sizes(slices, group->classes[0], group->classes[i]))
            return plc_fail(ctx, PLEACH_EUSAGE,
                            "score fpgm: the filters of '%s' have different sizes; use --score l2",
                            graph->nodes[group->first_node].name);
    return PLEACH_OK;
}

// The classes of each group, and for each class which of them are its group's.
static pleach_status upload_peers(plc_scorer *scorer, const plc_channels *channels,
                                  const plc_slices *slices)
{
    pleach_status status = PLEACH_OK;
    pleach_session *s = scorer->session;
    const size_t n_classes = (size_t)scorer->n_classes;
    prune_peers *peers_of = NULL;
    int *peers = NULL, n = 0;

    TRY(plc_alloc(s->ctx, n_classes, sizeof *peers, &peers));
    TRY(plc_alloc(s->ctx, n_classes, sizeof *peers_of, &peers_of));
    for (int g = 0; g < plc_channels_n_groups(channels); g++) {
        const plc_group *group = plc_channels_group(channels, g);
        if (group->frozen)
            continue;
        if (scorer->score == PLC_SCORE_FPGM)
            TRY(check_sizes(s->ctx, s->graph, group, slices));
        for (int i = 0; i < group->n_classes; i++) {
            peers[n + i] = group->classes[i];
            peers_of[group->classes[i]] = (prune_peers){n, n + group->n_classes};
        }
        n += group->n_classes;
    }
    TRY(plc_buffer_upload(s->device, "peers", peers, (size_t)n * sizeof *peers, &scorer->peers));
    TRY(plc_buffer_upload(s->device, "peers of classes", peers_of, n_classes * sizeof *peers_of,
                          &scorer->peers_of));
done:
    free(peers);
    free(peers_of);
    return status;
}

static pleach_status upload_scored(plc_scorer *scorer, const plc_channels *channels)
{
    pleach_status status = PLEACH_OK;
    pleach_session *s = scorer->session;
    plc_slices slices = {0};

    TRY(plc_slices_create(s->ctx, s->graph, s->layout, channels, scores_table[scorer->score].slices,
                          &slices));
    if (scores_table[scorer->score].needs_all)
        TRY(check_all_have_slices(s->ctx, s->graph, channels, scores_table[scorer->score].name,
                                  &slices));
    if (scorer->score == PLC_SCORE_FPGM || scorer->score == PLC_SCORE_REDUNDANCY)
        TRY(upload_peers(scorer, channels, &slices));
    TRY(plc_device_slices_create(s->device, &slices, scorer->n_classes, &scorer->slices));
done:
    plc_slices_finish(&slices);
    return status;
}

static pleach_status add_score(plc_scorer *scorer)
{
    pleach_status status = PLEACH_OK;
    plc_launch *launch = NULL;

    TRY(plc_launch_add(&scorer->list, "prune", scores_table[scorer->score].kernel, "", &launch));
    plc_launch_arg_buffer(launch, scorer->session->weights);
    if (scorer->score == PLC_SCORE_TAYLOR)
        plc_launch_arg_buffer(launch, scorer->session->grads);
    plc_launch_arg_buffer(launch, scorer->slices.slices);
    plc_launch_arg_buffer(launch, scorer->slices.starts);
    if (scorer->score == PLC_SCORE_FPGM) {
        plc_launch_arg_buffer(launch, scorer->peers);
        plc_launch_arg_buffer(launch, scorer->peers_of);
    }
    plc_launch_arg_buffer(launch, scorer->norms ? scorer->norms : scorer->scores);
    plc_launch_arg_int(launch, scorer->n_classes);
    if (scorer->score == PLC_SCORE_TAYLOR)
        plc_launch_arg_float(launch, taylor_rate);
    else if (scorer->score != PLC_SCORE_FPGM)
        plc_launch_arg_int(launch, scores_table[scorer->score].norm);
    plc_launch_items(launch, (size_t)scorer->n_classes);
    TRY(plc_launch_list_freeze(&scorer->list));
done:
    return status;
}

static pleach_status add_redundancy(plc_scorer *scorer, const plc_channels *channels)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_buffer_create(scorer->session->device, "norms",
                          (size_t)scorer->n_classes * sizeof(float), &scorer->norms));
    const plc_redundancy_buffers buffers = {.peers = scorer->peers,
                                            .peers_of = scorer->peers_of,
                                            .norms = scorer->norms,
                                            .scores = scorer->scores};
    TRY(plc_redundancy_create(scorer->session, channels, &buffers, &scorer->redundancy));
done:
    return status;
}

pleach_status plc_scorer_create(pleach_session *session, const plc_channels *channels,
                                plc_score score, unsigned long long seed, plc_scorer **out)
{
    pleach_status status = PLEACH_OK;
    plc_scorer *scorer = NULL;

    TRY(plc_alloc(session->ctx, 1, sizeof *scorer, &scorer));
    scorer->session = session;
    scorer->score = score;
    scorer->seed = seed;
    scorer->n_classes = plc_channels_n_classes(channels);
    plc_launch_list_init(&scorer->list, session->device);
    TRY(plc_self_test_require(session->device, PLC_SELF_TEST_REWRITE));
    TRY(plc_buffer_create(session->device, "scores", (size_t)scorer->n_classes * sizeof(float),
                          &scorer->scores));
    if (scores_table[score].slices) {
        TRY(upload_scored(scorer, channels));
        if (score == PLC_SCORE_REDUNDANCY)
            TRY(add_redundancy(scorer, channels));
        TRY(add_score(scorer));
    }
    *out = scorer;
    scorer = NULL;
done:
    plc_scorer_destroy(&scorer);
    return status;
}

void plc_scorer_destroy(plc_scorer **out)
{
    plc_scorer *scorer = *out;

    if (scorer == NULL)
        return;
    pleach_device *device = scorer->session->device;
    plc_device_settle(device); // nothing may still use what goes
    plc_redundancy_destroy(&scorer->redundancy);
    plc_launch_list_finish(&scorer->list);
    plc_buffer_destroy(device, &scorer->norms);
    plc_device_slices_finish(device, &scorer->slices);
    plc_buffer_destroy(device, &scorer->peers);
    plc_buffer_destroy(device, &scorer->peers_of);
    plc_buffer_destroy(device, &scorer->scores);
    free(scorer);
    *out = NULL;
}

void plc_scorer_set_probe(plc_scorer *scorer, const plc_split *images, const unsigned char *kept)
{
    scorer->images = images;
    scorer->kept = kept;
}

bool plc_scorer_observes(const plc_scorer *scorer)
{
    return scorer->score == PLC_SCORE_TAYLOR;
}

pleach_status plc_scorer_observe(plc_scorer *scorer)
{
    return plc_launch_list_run(&scorer->list);
}

pleach_status plc_scorer_read_means(plc_scorer *scorer, float *means)
{
    return plc_buffer_read(scorer->session->device, scorer->scores, 0,
                           (size_t)scorer->n_classes * sizeof *means, means);
}

pleach_status plc_scorer_write_means(plc_scorer *scorer, const float *means)
{
    return plc_buffer_write(scorer->session->device, scorer->scores, 0,
                            (size_t)scorer->n_classes * sizeof *means, means);
}

pleach_status plc_scorer_score(plc_scorer *scorer, unsigned update, float *scores)
{
    pleach_status status = PLEACH_OK;

    if (scorer->score == PLC_SCORE_RANDOM) {
        plc_random_fill_uniform(scorer->seed, PLC_STREAM_SELECT, update, 0.0f, 1.0f, scores,
                                (size_t)scorer->n_classes);
        return PLEACH_OK;
    }
    if (!plc_scorer_observes(scorer))
        TRY(plc_launch_list_run(&scorer->list));
    if (scorer->redundancy)
        TRY(plc_redundancy_run(scorer->redundancy, scorer->images, scorer->kept, scorer->seed,
                               update));
    TRY(plc_scorer_read_means(scorer, scores));
done:
    return status;
}
