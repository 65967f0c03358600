// The plan of a run: which residual blocks it keeps, drops or merges, from a file, a budget or greedy choices.
#include <run/run.h>

#include <stdlib.h>
#include <base/file.h>
#include <base/memory.h>
#include <fuse/candidates.h>
#include <fuse/plan_json.h>

// With --drop -1 all dropped blocks together may cost this share of right answers on the calibration
// images, before the others have learnt to stand in for them.
static const double ACCEPTED_FALL = 0.005;

#define GIVEN_PLAN "plan-given.json" // the run's own copy of the file of --plan

// A plc_fuse_cost_fn of the device's table of latencies.
static pleach_status price_latency(void *user, const pleach_graph *graph, double *ms)
{
    return plc_run_price(user, graph, NULL, NULL, ms);
}

static pleach_status mark_kept(plc_run *run, const pleach_graph *graph, plc_blocks *blocks)
{
    pleach_status status = PLEACH_OK;
    bool *kept = NULL;

    TRY(plc_alloc(run->ctx, (size_t)blocks->n_items + 1, sizeof *kept, &kept));
    TRY(plc_run_mark_kept_blocks(run, graph, blocks, kept));
    for (int i = 0; i < blocks->n_items; i++)
        blocks->items[i].kept = kept[i];
done:
    free(kept);
    return status;
}

// A plan that keeps all blocks of the graph.
static pleach_status start_plan(plc_run *run, const pleach_graph *graph, plc_blocks **blocks,
                                plc_plan *plan)
{
    pleach_status status = PLEACH_OK;
    plc_fuse_cost cost;

    TRY(plc_blocks_find(run->ctx, graph, blocks));
    TRY(mark_kept(run, graph, *blocks));
    TRY(plc_fuse_cost_named(run->ctx, run->opts.fuse_cost, &cost));
    if (cost.of == NULL) {
        cost.of = price_latency;
        cost.user = run;
    }
    TRY(plc_plan_create(run->ctx, graph, *blocks, &cost, plan));
done:
    return status;
}

static pleach_status take_file(plc_run *run, const char *path, bool may_be_gone, plc_plan *plan)
{
    pleach_status status = PLEACH_OK;
    plc_plan given = {0};

    TRY(plc_plan_read(run->ctx, path, &given));
    TRY(plc_plan_take_actions(run->ctx, &given, path, may_be_gone, plan));
done:
    plc_plan_finish(&given);
    return status;
}

// The plan of --plan as the run began with it: a copy in its directory, once that is made.
static pleach_status given_plan(plc_run *run, char **path)
{
    pleach_status status = PLEACH_OK;
    char *copy = NULL;

    if (run->directory.path)
        TRY(plc_directory_file(run->ctx, &run->directory, GIVEN_PLAN, &copy));
    TRY(plc_strdup(run->ctx, copy && plc_file_exists(copy) ? copy : run->opts.plan, path));
done:
    free(copy);
    return status;
}

pleach_status plc_run_keep_given_plan(plc_run *run)
{
    pleach_status status = PLEACH_OK;
    char *path = NULL, *text = NULL;
    size_t size = 0;

    if (run->opts.plan[0] == '\0')
        return PLEACH_OK;
    TRY(plc_file_read(run->ctx, run->opts.plan, PLC_PLAN_MAX_BYTES, &text, &size));
    TRY(plc_directory_file(run->ctx, &run->directory, GIVEN_PLAN, &path));
    TRY(plc_file_write_all(run->ctx, path, text, size));
done:
    free(text);
    free(path);
    return status;
}

static pleach_status take_given_plan(plc_run *run, bool may_be_gone, plc_plan *plan)
{
    pleach_status status = PLEACH_OK;
    char *path = NULL;

    TRY(given_plan(run, &path));
    TRY(take_file(run, path, may_be_gone, plan));
done:
    free(path);
    return status;
}

pleach_status plc_run_check_plan(plc_run *run, const pleach_graph *dense)
{
    pleach_status status = PLEACH_OK;
    plc_blocks *blocks = NULL;
    plc_plan plan = {0};

    if (run->opts.plan[0] == '\0')
        return PLEACH_OK;
    TRY(start_plan(run, dense, &blocks, &plan));
    TRY(take_given_plan(run, false, &plan));
done:
    plc_plan_finish(&plan);
    plc_blocks_destroy(&blocks);
    return status;
}

static int count_droppable(const plc_blocks *blocks)
{
    int n = 0;

    for (int i = 0; i < blocks->n_items; i++)
        n += plc_block_may_drop(&blocks->items[i]);
    return n;
}

// Greedy, with importances measured again after each block.
static pleach_status choose_drops(plc_run *run, const plc_blocks *blocks, plc_plan *plan)
{
    pleach_status status = PLEACH_OK;
    plc_block_choice *choices = NULL;
    const plc_drop_opts opts = {.n_drop = run->opts.drop, .tolerance = ACCEPTED_FALL};

    const int n_droppable = count_droppable(blocks);

    if (run->opts.drop > n_droppable)
        plc_log(run->ctx, PLEACH_LOG_WARNING,
                "--drop %d: '%s' has %d residual blocks left that may be dropped", run->opts.drop,
                run->session->graph->name, n_droppable);
    TRY(plc_alloc(run->ctx, (size_t)blocks->n_items + 1, sizeof *choices, &choices));
    TRY(plc_blocks_choose(run->session, blocks, &run->dataset->calibration, &opts, choices));
    for (int i = 0; i < blocks->n_items; i++) {
        plan->blocks[i].effects[PLC_ACTION_DROP].importance = choices[i].importance;
        if (choices[i].round >= 0)
            plan->blocks[i].action = PLC_ACTION_DROP;
    }
done:
    free(choices);
    return status;
}

static pleach_status choose_for_budget(plc_run *run, const plc_blocks *blocks, plc_plan *plan)
{
    pleach_status status = PLEACH_OK;

    plan->budget = run->opts.fuse * plan->total;
    TRY(plc_plan_measure(run->session, blocks, &run->dataset->calibration, plan));
    TRY(plc_plan_choose(run->ctx, plan));
    if (plc_plan_cost(plan) > plan->budget)
        plc_log(
            run->ctx, PLEACH_LOG_WARNING,
            "--fuse %g cannot be reached: %s of %g are left of %g with all blocks gone that may go",
            run->opts.fuse, plan->cost, plc_plan_cost(plan), plan->total);
done:
    return status;
}

static pleach_status keep_plan(plc_run *run, const plc_plan *plan)
{
    pleach_status status = PLEACH_OK;
    plc_text table = {0};
    char *path = NULL;

    TRY(plc_directory_file(run->ctx, &run->directory, "plan.json", &path));
    TRY(plc_plan_write(run->ctx, plan, path));
    TRY(plc_plan_print(run->ctx, plan, &table));
    plc_log(run->ctx, PLEACH_LOG_INFO, "the plan, in %s:\n%.*s", path, (int)table.length - 1,
            table.data);
done:
    plc_text_finish(&table);
    free(path);
    return status;
}

// Into the report, and the names of what is dropped into the run's state.
static pleach_status remember_plan(plc_run *run, const plc_plan *plan)
{
    pleach_status status = PLEACH_OK;
    plc_text names = {0};

    for (int i = 0; i < plan->n_blocks; i++) {
        const plc_plan_block *block = &plan->blocks[i];
        const bool merge = block->action == PLC_ACTION_MERGE;
        const plc_effect *effect = &block->effects[merge ? PLC_ACTION_MERGE : PLC_ACTION_DROP];
        if (plc_run_is_main(run))
            TRY(plc_report_add_block(run->ctx, &run->report, block->name,
                                     plc_action_names[block->action], effect->importance));
        if (block->action == PLC_ACTION_DROP)
            TRY(plc_text_printf(run->ctx, &names, "%s\n", block->name));
    }
    TRY(plc_text_take(run->ctx, &names, &run->dropping));
done:
    plc_text_finish(&names);
    return status;
}

// A control drops and merges what the main network did.
static pleach_status take_own_plan(plc_run *run, plc_plan *plan)
{
    pleach_status status = PLEACH_OK;
    char *path = NULL;

    TRY(plc_directory_file(run->ctx, &run->directory, "plan.json", &path));
    TRY(take_file(run, path, true, plan));
done:
    free(path);
    return status;
}

pleach_status plc_run_make_plan(plc_run *run, plc_blocks **blocks, plc_plan *plan)
{
    pleach_status status = PLEACH_OK;

    TRY(start_plan(run, run->session->graph, blocks, plan));
    if (!plc_run_is_main(run))
        TRY(take_own_plan(run, plan));
    else if (run->opts.plan[0])
        TRY(take_given_plan(run, true, plan));
    else if (run->opts.fuse > 0)
        TRY(choose_for_budget(run, *blocks, plan));
    else
        TRY(choose_drops(run, *blocks, plan));
    if (plc_run_is_main(run))
        TRY(keep_plan(run, plan));
    TRY(remember_plan(run, plan));
done:
    return status;
}
