// The plan as a table.
#include <fuse/plan.h>

#include <math.h>

// Columns of figures, as wide as a figure.
static pleach_status print_effect(pleach_ctx *ctx, const plc_effect *effect, plc_text *text)
{
    pleach_status status = PLEACH_OK;

    if (!effect->possible) {
        TRY(plc_text_printf(ctx, text, "  %12s  %12s", "-", "-"));
        goto done;
    }
    if (isfinite(effect->importance))
        TRY(plc_text_printf(ctx, text, "  %12.4f", effect->importance));
    else
        TRY(plc_text_printf(ctx, text, "  %12s", "?"));
    TRY(plc_text_printf(ctx, text, "  %12.6g", effect->saving));
done:
    return status;
}

pleach_status plc_plan_print(pleach_ctx *ctx, const plc_plan *plan, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    int width = 5;

    for (int i = 0; i < plan->n_blocks; i++)
        for (int length = 0; plan->blocks[i].name[length]; length++)
            width = length + 1 > width ? length + 1 : width;
    TRY(plc_text_printf(ctx, text, "%-*s  action  %12s  %12s  %12s  %12s\n", width, "block",
                        "rise (drop)", "saves", "rise (merge)", "saves"));
    for (int i = 0; i < plan->n_blocks; i++) {
        const plc_plan_block *block = &plan->blocks[i];
        TRY(plc_text_printf(ctx, text, "%-*s  %-6s", width, block->name,
                            plc_action_names[block->action]));
        TRY(print_effect(ctx, &block->effects[PLC_ACTION_DROP], text));
        TRY(print_effect(ctx, &block->effects[PLC_ACTION_MERGE], text));
        TRY(plc_text_append(ctx, text, "\n", 1));
    }
    TRY(plc_text_printf(ctx, text, "%s: %.6g of %.6g", plan->cost, plc_plan_cost(plan),
                        plan->total));
    if (plan->budget < plan->total)
        TRY(plc_text_printf(ctx, text, ", at most %.6g were asked for", plan->budget));
    TRY(plc_text_append(ctx, text, "\n", 1));
done:
    return status;
}
