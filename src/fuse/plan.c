// The choice of actions, by dynamic programming.
#include <fuse/plan.h>

#include <math.h>
#include <stdlib.h>
#include <base/memory.h>

const char *const plc_action_names[PLC_N_ACTIONS] = {"keep", "drop", "merge"};

enum { MAX_STATES = 1 << 16 };

// A choice for the blocks so far. `saving` beyond what is needed counts as what is needed. How good it is
// are importance, actions and rise, in this order.
typedef struct state {
    double saving;
    double importance; // sum of rises, falls counted as 0
    int n_actions;     // blocks that are not kept
    double rise;       // sum of rises and falls
    int from;          // index among the states of the block before
    plc_action action;
} state;

// The states after each block of which none is better than another in both saving and how good it is, by
// falling saving.
typedef struct front {
    state *items; // owned
    size_t n, capacity;
} front;

void plc_plan_finish(plc_plan *plan)
{
    for (int i = 0; plan->blocks && i < plan->n_blocks; i++)
        free(plan->blocks[i].name);
    free(plan->blocks);
    free(plan->model);
    free(plan->cost);
    *plan = (plc_plan){0};
}

double plc_plan_cost(const plc_plan *plan)
{
    double cost = plan->total;

    for (int i = 0; i < plan->n_blocks; i++)
        cost -= plan->blocks[i].effects[plan->blocks[i].action].saving;
    return cost;
}

static bool may_choose(const plc_plan_block *block, plc_action action)
{
    const plc_effect *effect = &block->effects[action];

    return action == PLC_ACTION_KEEP ||
           (effect->possible && effect->saving > 0 && isfinite(effect->importance));
}

static double largest_saving(const plc_plan *plan)
{
    double sum = 0;

    for (int i = 0; i < plan->n_blocks; i++) {
        double most = 0;
        for (plc_action a = PLC_ACTION_DROP; a < PLC_N_ACTIONS; a++)
            if (may_choose(&plan->blocks[i], a))
                most = fmax(most, plan->blocks[i].effects[a].saving);
        sum += most;
    }
    return sum;
}

static int compare_doubles(double a, double b)
{
    return a < b ? -1 : a > b;
}

// Below zero when x is the better one.
static int compare_worth(const state *x, const state *y)
{
    const int importance = compare_doubles(x->importance, y->importance);

    if (importance != 0)
        return importance;
    if (x->n_actions != y->n_actions)
        return x->n_actions - y->n_actions;
    return compare_doubles(x->rise, y->rise);
}

// By falling saving, then the better first, then in the order in which they were made.
static int compare_states(const void *a, const void *b)
{
    const state *x = a, *y = b;
    const int saving = compare_doubles(y->saving, x->saving), worth = compare_worth(x, y);

    if (saving != 0)
        return saving;
    if (worth != 0)
        return worth;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return (int)x->action - (int)y->action;
}

// Keeps, of sorted states, those better than all that save as much. `step`: savings within one step count
// as equal; the first state stays as well, so that the budget stays in reach.
static size_t thin(state *states, size_t n, double step)
{
    size_t n_left = 0;
    state best = {.importance = INFINITY};
    double begin = INFINITY;

    for (size_t i = 0; i < n; i++) {
        if (compare_worth(&states[i], &best) >= 0)
            continue;
        best = states[i];
        if (n_left > 1 && best.saving > begin - step) {
            states[n_left - 1] = best;
            continue;
        }
        begin = best.saving;
        states[n_left++] = best;
    }
    return n_left;
}

static pleach_status extend(pleach_ctx *ctx, const front *before, const plc_plan_block *block,
                            double needed, front *after)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_grow(ctx, &after->items, &after->capacity, before->n * PLC_N_ACTIONS));
    for (size_t i = 0; i < before->n; i++)
        for (plc_action a = PLC_ACTION_KEEP; a < PLC_N_ACTIONS; a++) {
            const state *so_far = &before->items[i];
            const plc_effect *effect = &block->effects[a];
            if (!may_choose(block, a))
                continue;
            after->items[after->n++] =
                (state){.saving = fmin(so_far->saving + effect->saving, needed),
                        .importance = so_far->importance + fmax(effect->importance, 0),
                        .n_actions = so_far->n_actions + (a != PLC_ACTION_KEEP),
                        .rise = so_far->rise + effect->importance,
                        .from = (int)i,
                        .action = a};
        }
    qsort(after->items, after->n, sizeof *after->items, compare_states);
    after->n = thin(after->items, after->n, 0);
    if (after->n > MAX_STATES)
        after->n = thin(after->items, after->n, needed / MAX_STATES);
done:
    return status;
}

pleach_status plc_plan_choose(pleach_ctx *ctx, plc_plan *plan)
{
    pleach_status status = PLEACH_OK;
    front *fronts = NULL;
    const int n = plan->n_blocks;
    const double asked = fmax(plan->total - plan->budget, 0), most = largest_saving(plan);
    const double needed = fmin(asked, most);
    // Sums in another order may differ by rounding from the largest saving.
    const double enough = needed * (1 - 1e-12);

    TRY(plc_alloc(ctx, (size_t)n + 1, sizeof *fronts, &fronts));
    TRY(plc_grow(ctx, &fronts[0].items, &fronts[0].capacity, 1));
    fronts[0].items[fronts[0].n++] = (state){0};
    for (int i = 0; i < n; i++)
        TRY(extend(ctx, &fronts[i], &plan->blocks[i], enough, &fronts[i + 1]));
    // The first state saves the most, and of those that save enough it is the best.
    for (int i = n, at = 0; i > 0; i--) {
        plan->blocks[i - 1].action = fronts[i].items[at].action;
        at = fronts[i].items[at].from;
    }
done:
    for (int i = 0; fronts && i <= n; i++)
        free(fronts[i].items);
    free(fronts);
    return status;
}
