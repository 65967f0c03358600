// The plan's file.
#include <fuse/plan_json.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <base/file.h>
#include <base/memory.h>

enum { MAX_PLAN_BLOCKS = 8192 };

static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *effect_to_json(const plc_effect *effect)
{
    return effect->possible ? json_pack("{s:o,s:o}", "importance", real(effect->importance),
                                        "saving", real(effect->saving))
                            : json_null();
}

static json_t *blocks_to_json(const plc_plan *plan)
{
    json_t *blocks = json_array();

    for (int i = 0; i < plan->n_blocks; i++) {
        const plc_plan_block *b = &plan->blocks[i];
        json_t *block =
            json_pack("{s:s,s:s,s:o,s:o}", "name", b->name, "action", plc_action_names[b->action],
                      "drop", effect_to_json(&b->effects[PLC_ACTION_DROP]), "merge",
                      effect_to_json(&b->effects[PLC_ACTION_MERGE]));
        if (json_array_append_new(blocks, block)) {
            json_decref(blocks);
            return NULL;
        }
    }
    return blocks;
}

pleach_status plc_plan_write(pleach_ctx *ctx, const plc_plan *plan, const char *path)
{
    pleach_status status = PLEACH_OK;
    json_t *root = json_pack("{s:s,s:s,s:s,s:o,s:o,s:o}", "schema", PLC_PLAN_SCHEMA, "model",
                             plan->model, "cost", plan->cost, "total", real(plan->total), "budget",
                             real(plan->budget), "blocks", blocks_to_json(plan));
    char *text = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;

    if (text == NULL)
        FAIL(ctx, PLEACH_EFAILED, "%s: no memory, or a name that is not UTF-8", path);
    TRY(plc_file_write_all(ctx, path, text, strlen(text)));
done:
    free(text);
    json_decref(root);
    return status;
}

static pleach_status read_block(pleach_ctx *ctx, const char *path, int i, const json_t *json,
                                plc_plan_block *block)
{
    const char *name = json_string_value(json_object_get(json, "name"));
    const char *action = json_string_value(json_object_get(json, "action"));

    *block = (plc_plan_block){.action = PLC_N_ACTIONS};
    if (name == NULL || action == NULL)
        return plc_fail(ctx, PLEACH_EINPUT, "%s: blocks[%d] has no text '%s'", path, i,
                        name == NULL ? "name" : "action");
    for (plc_action a = 0; a < PLC_N_ACTIONS; a++)
        if (strcmp(action, plc_action_names[a]) == 0)
            block->action = a;
    if (block->action == PLC_N_ACTIONS) {
        const char *nearest = plc_nearest_name(action, plc_action_names, PLC_N_ACTIONS);
        return plc_fail(ctx, PLEACH_EINPUT, "%s: blocks[%d], '%s': no action '%s'; %s%s%s", path, i,
                        name, action, nearest ? "did you mean '" : "there are keep, drop and merge",
                        nearest ? nearest : "", nearest ? "'?" : "");
    }
    return plc_strdup(ctx, name, &block->name);
}

static pleach_status read_blocks(pleach_ctx *ctx, const char *path, const json_t *root,
                                 plc_plan *plan)
{
    pleach_status status = PLEACH_OK;
    const json_t *blocks = json_object_get(root, "blocks");
    const char *schema = json_string_value(json_object_get(root, "schema"));
    const size_t n = json_array_size(blocks);

    if (schema == NULL || strcmp(schema, PLC_PLAN_SCHEMA) != 0)
        FAIL(ctx, PLEACH_EINPUT, "%s: schema is '%s', expected '%s'", path, schema ? schema : "",
             PLC_PLAN_SCHEMA);
    if (!json_is_array(blocks) || n > MAX_PLAN_BLOCKS)
        FAIL(ctx, PLEACH_EINPUT, "%s: 'blocks' must be a list of at most %d blocks", path,
             MAX_PLAN_BLOCKS);
    TRY(plc_alloc(ctx, n + 1, sizeof *plan->blocks, &plan->blocks));
    for (size_t i = 0; i < n; i++)
        TRY(read_block(ctx, path, (int)i, json_array_get(blocks, i),
                       &plan->blocks[plan->n_blocks++]));
done:
    return status;
}

pleach_status plc_plan_read(pleach_ctx *ctx, const char *path, plc_plan *plan)
{
    pleach_status status = PLEACH_OK;
    char *text = NULL;
    size_t size = 0;
    json_t *root = NULL;
    json_error_t error;

    *plan = (plc_plan){0};
    TRY(plc_file_read(ctx, path, PLC_PLAN_MAX_BYTES, &text, &size));
    root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        FAIL(ctx, PLEACH_EINPUT, "%s, line %d: %s", path, error.line, error.text);
    TRY(read_blocks(ctx, path, root, plan));
done:
    json_decref(root);
    free(text);
    if (status != PLEACH_OK)
        plc_plan_finish(plan);
    return status;
}

static int find_block(const plc_plan *plan, const char *name)
{
    for (int i = 0; i < plan->n_blocks; i++)
        if (strcmp(plan->blocks[i].name, name) == 0)
            return i;
    return -1;
}

static pleach_status unknown_block(pleach_ctx *ctx, const char *path, int i, const char *name,
                                   const plc_plan *plan)
{
    pleach_status status = PLEACH_OK;
    const char **names = NULL;

    TRY(plc_alloc(ctx, (size_t)plan->n_blocks + 1, sizeof *names, &names));
    for (int j = 0; j < plan->n_blocks; j++)
        names[j] = plan->blocks[j].name;
    const char *nearest = plc_nearest_name(name, names, plan->n_blocks);
    FAIL(ctx, PLEACH_EINPUT, "%s: blocks[%d]: '%s' has no block '%s'; %s%s%s", path, i, plan->model,
         name, nearest ? "did you mean '" : "a run's plan.json lists them", nearest ? nearest : "",
         nearest ? "'?" : "");
done:
    free(names);
    return status;
}

pleach_status plc_plan_take_actions(pleach_ctx *ctx, const plc_plan *from, const char *path,
                                    bool may_be_gone, plc_plan *plan)
{
    pleach_status status = PLEACH_OK;

    for (int i = 0; i < plan->n_blocks; i++)
        plan->blocks[i].action = PLC_ACTION_KEEP;
    for (int i = 0; i < from->n_blocks; i++) {
        const plc_plan_block *given = &from->blocks[i];
        const int at = find_block(plan, given->name);
        if (find_block(from, given->name) != i)
            FAIL(ctx, PLEACH_EINPUT, "%s: blocks[%d]: '%s' is there before, as blocks[%d]", path, i,
                 given->name, find_block(from, given->name));
        if (at < 0 && may_be_gone) {
            plc_log(ctx, PLEACH_LOG_WARNING, "%s: blocks[%d]: '%s' is gone already", path, i,
                    given->name);
            continue;
        }
        if (at < 0)
            TRY(unknown_block(ctx, path, i, given->name, plan));
        if (!plan->blocks[at].effects[given->action].possible)
            FAIL(ctx, PLEACH_EINPUT, "%s: blocks[%d]: '%s' cannot be %s", path, i, given->name,
                 plan->blocks[at].kept ? "dropped or merged: --keep names a node of it"
                 : given->action == PLC_ACTION_DROP
                     ? "dropped: no batch norm ends its branch"
                     : "merged: its branch is no chain of convolutions with a ReLU between each");
        plan->blocks[at].action = given->action;
    }
done:
    return status;
}
