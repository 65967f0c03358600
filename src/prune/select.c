// Which channels a budget leaves.
#include <prune/select.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <base/text.h>
#include <price/macs.h>

typedef struct ranked {
    double score;
    int class_id;
} ranked;

// All that one selection works with.
typedef struct search {
    pleach_ctx *ctx;
    const pleach_graph *graph;
    const plc_channels *channels;
    const plc_select_opts *opts;
    unsigned char *before; // owned: the present mask
    unsigned char *trial;  // owned: the mask at the pl that is tried
    bool *group_kept;      // owned: groups that the user leaves alone
    bool *depthwise;       // owned: groups of which a depthwise layer makes channels
    ranked *order;         // owned: prunable classes, weakest first
    int n;                 // how many
    plc_cost cost;         // of `trial`
    double latency_ms;     // of it, where a budget needs it
} search;

static pleach_status unknown_node(search *s, const char *name)
{
    pleach_status status = PLEACH_OK;
    const char **names = NULL;

    TRY(plc_alloc(s->ctx, (size_t)s->graph->n_nodes, sizeof *names, &names));
    for (int i = 0; i < s->graph->n_nodes; i++)
        names[i] = s->graph->nodes[i].name;
    const char *nearest = plc_nearest_name(name, names, s->graph->n_nodes);
    FAIL(s->ctx, PLEACH_EUSAGE, "keep '%s': graph '%s' has no such node; %s%s%s", name,
         s->graph->name, nearest ? "did you mean '" : "pleach inspect lists its nodes",
         nearest ? nearest : "", nearest ? "'?" : "");
done:
    free(names);
    return status;
}

static pleach_status check_opts(search *s)
{
    const plc_select_opts *o = s->opts;

    // Written so that NaN fails too.
    for (int i = 0; i < o->n_budgets; i++)
        if (!(o->budgets[i].target > 0 && o->budgets[i].target <= 1) || !(o->budgets[i].dense >= 0))
            return plc_fail(s->ctx, PLEACH_EUSAGE,
                            "target is %g of %g; give the share that stays, above 0 to 1",
                            o->budgets[i].target, o->budgets[i].dense);
    if (!(o->band >= 0 && o->band <= 1))
        return plc_fail(s->ctx, PLEACH_EUSAGE, "band is %g; give 0 to 1", o->band);
    if (!(o->max_ratio >= 0 && o->max_ratio <= 1))
        return plc_fail(s->ctx, PLEACH_EUSAGE, "max ratio is %g; give 0 to 1", o->max_ratio);
    if (o->min_channels < 0 || o->round_to < 0)
        return plc_fail(s->ctx, PLEACH_EUSAGE,
                        "min channels is %d, round to is %d; neither may be negative",
                        o->min_channels, o->round_to);
    return PLEACH_OK;
}

static pleach_status mark_kept_groups(search *s)
{
    pleach_status status = PLEACH_OK;
    int n_groups = plc_channels_n_groups(s->channels);

    TRY(plc_alloc(s->ctx, (size_t)n_groups, sizeof *s->group_kept, &s->group_kept));
    for (int g = 0; g < n_groups; g++)
        s->group_kept[g] = plc_channels_group(s->channels, g)->frozen;
    for (int i = 0; i < s->opts->n_keep; i++) {
        int node = plc_graph_find(s->graph, s->opts->keep[i]);
        if (node == PLC_NO_NODE)
            TRY(unknown_node(s, s->opts->keep[i]));
        for (int c = 0; c < s->graph->nodes[node].shape.c; c++) {
            int class_id = plc_channels_class(s->channels, node, c);
            s->group_kept[plc_channels_group_of(s->channels, class_id)] = true;
        }
    }
done:
    return status;
}

static pleach_status mark_depthwise_groups(search *s)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_alloc(s->ctx, (size_t)plc_channels_n_groups(s->channels), sizeof *s->depthwise,
                  &s->depthwise));
    for (int i = 0; i < s->graph->n_nodes; i++) {
        const plc_node *node = &s->graph->nodes[i];
        for (int c = 0; c < node->shape.c && plc_graph_is_depthwise(s->graph, node); c++)
            s->depthwise[plc_channels_group_of(s->channels,
                                               plc_channels_class(s->channels, i, c))] = true;
    }
done:
    return status;
}

static int compare_ranked(const void *a, const void *b)
{
    const ranked *x = a, *y = b;

    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    return x->class_id < y->class_id ? -1 : x->class_id > y->class_id;
}

static plc_settled settled_of(const search *s, int g)
{
    return s->opts->settled ? s->opts->settled[g] : (plc_settled){0};
}

static pleach_status check_scores(const search *s, const plc_group *group, const float *scores)
{
    for (int i = 0; i < group->n_classes; i++) {
        const double score = (double)scores[group->classes[i]];
        if (!(score >= 0) || isinf(score))
            return plc_fail(
                s->ctx, PLEACH_EDIVERGED,
                "score of channel %d of group '%s' is %g; training diverged: use the last good "
                "checkpoint with a lower learning rate",
                i, s->graph->nodes[group->first_node].name, score);
    }
    return PLEACH_OK;
}

// Appends the group's classes with their scores divided by the mean.
static void take_group(search *s, int g, const float *scores)
{
    const plc_group *group = plc_channels_group(s->channels, g);
    const plc_settled settled = settled_of(s, g);
    const int n_at_first = group->n_classes + settled.n_classes;
    double mean = settled.scores / n_at_first;

    for (int i = 0; i < group->n_classes; i++)
        mean += (double)scores[group->classes[i]] / n_at_first;
    for (int i = 0; i < group->n_classes; i++) {
        const int c = group->classes[i];
        s->order[s->n++] = (ranked){mean > 0 ? (double)scores[c] / mean : 0, c};
    }
}

// The same by cost. What a group does is taken to suffer by the inverse of the share of its scores that is left, so a
// class is worth how much that grows without it and all that are weaker; over what one costs. A group that has
// lost much is thus left alone, however dear it is.
static void take_group_by_cost(search *s, int g, const float *scores, double cost)
{
    const plc_group *group = plc_channels_group(s->channels, g);
    ranked *own = &s->order[s->n];
    double all = settled_of(s, g).scores, left = 0;

    for (int i = 0; i < group->n_classes; i++) {
        own[i] = (ranked){(double)scores[group->classes[i]], group->classes[i]};
        all += own[i].score;
    }
    qsort(own, (size_t)group->n_classes, sizeof *own, compare_ranked);
    for (int i = group->n_classes - 1; i >= 0; i--) {
        left += own[i].score;
        const double worth = left > 0 ? own[i].score * all / (left * left) : 0;
        own[i].score = cost > 0 ? worth / cost : INFINITY;
    }
    s->n += group->n_classes;
}

// Channels of a group that is empty cost nothing now; they rank as if all of them were back.
static void fill_empty_groups(search *s)
{
    memcpy(s->trial, s->before, (size_t)plc_channels_n_classes(s->channels));
    for (int g = 0; g < plc_channels_n_groups(s->channels); g++) {
        const plc_group *group = plc_channels_group(s->channels, g);
        int kept = 0;
        for (int i = 0; i < group->n_classes; i++)
            kept += s->before[group->classes[i]];
        for (int i = 0; kept == 0 && i < group->n_classes; i++)
            s->trial[group->classes[i]] = 1;
    }
}

static pleach_status rank_classes(search *s, const float *scores)
{
    pleach_status status = PLEACH_OK;
    const plc_select_opts *o = s->opts;
    const int n_groups = plc_channels_n_groups(s->channels);
    const bool by_macs = o->rank == PLC_RANK_MACS;
    const plc_pricing pricing = {s->graph, s->channels, by_macs ? plc_price_macs : o->latency,
                                 by_macs ? s->ctx : o->latency_user};
    double *costs = NULL;

    if (o->rank != PLC_RANK_SCORE) {
        TRY(plc_alloc(s->ctx, (size_t)n_groups, sizeof *costs, &costs));
        fill_empty_groups(s);
        TRY(plc_group_costs(s->ctx, &pricing, s->trial, o->may_empty, costs));
    }
    TRY(plc_alloc(s->ctx, (size_t)plc_channels_n_classes(s->channels), sizeof *s->order,
                  &s->order));
    for (int g = 0; g < n_groups; g++) {
        if (s->group_kept[g])
            continue;
        TRY(check_scores(s, plc_channels_group(s->channels, g), scores));
        if (costs)
            take_group_by_cost(s, g, scores, costs[g]);
        else
            take_group(s, g, scores);
    }
    qsort(s->order, (size_t)s->n, sizeof *s->order, compare_ranked);
done:
    free(costs);
    return status;
}

// Fewest classes that group g, of n now, must keep: a depthwise layer of one channel would be one as any other, which may
// be computed in another way.
static int floor_of(const search *s, int g, int n)
{
    const int least_ever = s->depthwise[g] ? 2 : 1;
    int least = s->opts->min_channels > least_ever ? s->opts->min_channels : least_ever;
    double max_ratio = s->opts->max_ratio > 0 ? s->opts->max_ratio : 1;
    const int n_at_first = n + settled_of(s, g).n_classes;
    // The tolerance keeps a share such as 0.7 of 10 from losing one to rounding.
    int by_ratio = n_at_first - (int)floor(max_ratio * n_at_first + 1e-9);

    if (least < by_ratio)
        least = by_ratio;
    return least < n ? least : n;
}

// Whether group g may go whole: what is said of how much must stay holds for it too.
static bool may_empty(const search *s, int g)
{
    return s->opts->may_empty && s->opts->may_empty[g] && !s->group_kept[g] &&
           s->opts->min_channels <= 1 && (s->opts->max_ratio == 0 || s->opts->max_ratio == 1);
}

// How many of the n classes of group g stay where `kept` are above the threshold.
static int kept_count(const search *s, int g, int n, int kept)
{
    if (kept == 0 && may_empty(s, g))
        return 0;
    const int unit = s->opts->round_to > 0 ? s->opts->round_to : 1, least = floor_of(s, g, n);
    const int count = kept > least ? kept : least;
    const long long rounded = ((long long)count + unit - 1) / unit * unit;

    return rounded < n ? (int)rounded : n;
}

static bool may_not_return(const search *s, int c)
{
    return s->opts->for_good && !s->before[c];
}

// Gives the strongest pruned classes back to every group that keeps fewer than it should.
static pleach_status restore_counts(search *s)
{
    pleach_status status = PLEACH_OK;
    int n_groups = plc_channels_n_groups(s->channels), *missing = NULL;

    TRY(plc_alloc(s->ctx, (size_t)n_groups, sizeof *missing, &missing));
    for (int g = 0; g < n_groups; g++) {
        const plc_group *group = plc_channels_group(s->channels, g);
        int kept = 0;
        for (int i = 0; i < group->n_classes; i++)
            kept += s->trial[group->classes[i]];
        missing[g] = kept_count(s, g, group->n_classes, kept) - kept;
    }
    for (int r = s->n - 1; r >= 0; r--) {
        int c = s->order[r].class_id, g = plc_channels_group_of(s->channels, c);
        if (missing[g] <= 0 || s->trial[c] || may_not_return(s, c))
            continue;
        s->trial[c] = 1;
        missing[g]--;
    }
done:
    free(missing);
    return status;
}

static bool has_kind(const plc_select_opts *opts, plc_budget_kind kind)
{
    for (int i = 0; i < opts->n_budgets; i++)
        if (opts->budgets[i].kind == kind)
            return true;
    return false;
}

// The mask and its cost where n_below of the classes that are left lie below pl.
static pleach_status try_threshold(search *s, int n_below)
{
    pleach_status status = PLEACH_OK;
    double upper = n_below + s->opts->band * (s->n + s->opts->n_settled); // as a rank: q >= pu

    memset(s->trial, 1, (size_t)plc_channels_n_classes(s->channels));
    for (int r = 0; r < s->n; r++) {
        int c = s->order[r].class_id;
        s->trial[c] = r < n_below || may_not_return(s, c) ? 0 : r >= upper ? 1 : s->before[c];
    }
    TRY(restore_counts(s));
    TRY(plc_masked_cost(s->ctx, s->graph, s->channels, s->trial, &s->cost));
    if (has_kind(s->opts, PLC_BUDGET_LATENCY))
        TRY(s->opts->latency(s->opts->latency_user, s->graph, s->channels, s->trial,
                             &s->latency_ms));
done:
    return status;
}

// Of the network of `trial`.
static double cost_of(const search *s, plc_budget_kind kind)
{
    return kind == PLC_BUDGET_LATENCY  ? s->latency_ms
           : kind == PLC_BUDGET_PARAMS ? (double)s->cost.params
                                       : (double)s->cost.macs;
}

// `dense` [n_budgets]: what the targets are shares of.
static bool meets(const search *s, const double *dense)
{
    for (int i = 0; i < s->opts->n_budgets; i++)
        if (cost_of(s, s->opts->budgets[i].kind) > s->opts->budgets[i].target * dense[i])
            return false;
    return true;
}

// Where a budget gives no dense cost, that of the graph with all its channels.
static pleach_status find_dense(search *s, double *dense)
{
    pleach_status status = PLEACH_OK;
    const plc_budget *budgets = s->opts->budgets;

    memset(s->trial, 1, (size_t)plc_channels_n_classes(s->channels));
    s->cost = plc_graph_cost(s->graph);
    for (int i = 0; i < s->opts->n_budgets; i++) {
        if (budgets[i].dense == 0 && budgets[i].kind == PLC_BUDGET_LATENCY)
            TRY(s->opts->latency(s->opts->latency_user, s->graph, s->channels, s->trial,
                                 &s->latency_ms));
        dense[i] = budgets[i].dense > 0 ? budgets[i].dense : cost_of(s, budgets[i].kind);
    }
done:
    return status;
}

// As pl grows no class comes back and no group grows, so the cost only falls: bisection.
static pleach_status find_threshold(search *s, const double *dense, plc_selection *selection)
{
    pleach_status status = PLEACH_OK;
    int low = 0, high = s->n;

    while (low < high) {
        int middle = low + (high - low) / 2;
        TRY(try_threshold(s, middle));
        if (meets(s, dense))
            high = middle;
        else
            low = middle + 1;
    }
    TRY(try_threshold(s, low));
    selection->reached = meets(s, dense);
    const int n_at_first = s->n + s->opts->n_settled;
    selection->pl = n_at_first ? (double)(low + s->opts->n_settled) / n_at_first : 0;
done:
    return status;
}

static void fill(search *s, plc_selection *selection)
{
    selection->macs = s->cost.macs;
    selection->params = s->cost.params;
    selection->latency_ms = s->latency_ms;
    selection->n_prunable = s->n;
    for (int r = 0; r < s->n; r++)
        selection->n_kept += s->trial[s->order[r].class_id];
    for (int c = 0; c < plc_channels_n_classes(s->channels); c++) {
        selection->flips += s->trial[c] != s->before[c];
        selection->returns += s->trial[c] && !s->before[c];
    }
    selection->mask = s->trial;
    s->trial = NULL;
}

pleach_status plc_select(pleach_ctx *ctx, const pleach_graph *graph, const plc_channels *channels,
                         const float *scores, const unsigned char *mask,
                         const plc_select_opts *opts, plc_selection *selection)
{
    pleach_status status = PLEACH_OK;
    int n_classes = plc_channels_n_classes(channels);
    search s = {.ctx = ctx, .graph = graph, .channels = channels, .opts = opts};
    double *dense = NULL;

    *selection = (plc_selection){0};
    TRY(check_opts(&s));
    TRY(mark_kept_groups(&s));
    TRY(mark_depthwise_groups(&s));
    TRY(plc_alloc(ctx, (size_t)n_classes, 1, &s.before));
    TRY(plc_alloc(ctx, (size_t)n_classes, 1, &s.trial));
    for (int c = 0; c < n_classes; c++)
        s.before[c] = !mask || mask[c];
    TRY(rank_classes(&s, scores));
    TRY(plc_alloc(ctx, (size_t)opts->n_budgets + 1, sizeof *dense, &dense));
    TRY(find_dense(&s, dense));
    TRY(find_threshold(&s, dense, selection));
    fill(&s, selection);
done:
    free(dense);
    free(s.before);
    free(s.trial);
    free(s.group_kept);
    free(s.depthwise);
    free(s.order);
    return status;
}

void plc_selection_finish(plc_selection *selection)
{
    free(selection->mask);
    *selection = (plc_selection){0};
}
