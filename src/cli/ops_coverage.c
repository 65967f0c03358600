// `pleach ops --coverage`: the ONNX project's own cases on a device, counted by the operator that they are about.
#include <cli/ops.h>

#include <stdlib.h>
#include <string.h>
#include <base/memory.h>
#include <io/onnx.h>
#include <report/table.h>
#include <run/onnx_cases.h>

// A reason why cases are refused, and how many are. Of several reasons an operator's row has the first ones.
typedef struct reason {
    char text[PLC_ONNX_CASE_TEXT];
    int n;
} reason;

typedef struct row {
    char *op; // owned; "" for cases of several operators
    int counts[3];
    reason *reasons; // owned
    size_t n_reasons, capacity;
} row;

typedef struct coverage {
    plc_cli *cli;
    row *rows;
    size_t n_rows, capacity;
    pleach_status status; // of the first report that failed
    json_t *cases;        // with --json
} coverage;

static row *find_row(coverage *c, const char *op)
{
    for (size_t i = 0; i < c->n_rows; i++)
        if (strcmp(c->rows[i].op, op) == 0)
            return &c->rows[i];
    if (plc_grow(c->cli->ctx, &c->rows, &c->capacity, c->n_rows + 1) != PLEACH_OK)
        return NULL;
    c->rows[c->n_rows] = (row){0};
    if (plc_strdup(c->cli->ctx, op, &c->rows[c->n_rows].op) != PLEACH_OK)
        return NULL;
    return &c->rows[c->n_rows++];
}

// Without the node's name, which says nothing of the kind of refusal.
static const char *without_node(const char *why)
{
    const char *end = strstr(why, "': ");

    return end && strchr(why, '\'') < end ? end + 3 : why;
}

static pleach_status count_reason(coverage *c, row *r, const char *why)
{
    pleach_status status = PLEACH_OK;

    for (size_t i = 0; i < r->n_reasons; i++)
        if (strcmp(r->reasons[i].text, why) == 0) {
            r->reasons[i].n++;
            return status;
        }
    TRY(plc_grow(c->cli->ctx, &r->reasons, &r->capacity, r->n_reasons + 1));
    snprintf(r->reasons[r->n_reasons].text, sizeof r->reasons->text, "%s", why);
    r->reasons[r->n_reasons++].n = 1;
done:
    return status;
}

static void count_case(void *user, const plc_onnx_case *found)
{
    static const char *const verdicts[] = {"wrong", "refused", "passed"};
    coverage *c = user;
    row *r = find_row(c, found->op);

    if (!r || (found->verdict == PLC_ONNX_CASE_REFUSED &&
               count_reason(c, r, without_node(found->why)) != PLEACH_OK)) {
        c->status = PLEACH_ENOMEM;
        return;
    }
    r->counts[found->verdict]++;
    if (c->cases)
        plc_cli_json_append(
            &c->cases, json_pack("{s: o, s: o, s: s, s: o}", "case", plc_cli_json_name(found->name),
                                 "operator", plc_cli_json_name(found->op), "verdict",
                                 verdicts[found->verdict], "why", plc_cli_json_name(found->why)));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const row *)a)->op, ((const row *)b)->op);
}

static bool is_read(const char *op)
{
    for (int i = 0; plc_onnx_operator_at(i); i++)
        if (strcmp(plc_onnx_operator_at(i)->onnx, op) == 0)
            return true;
    return false;
}

static pleach_status print_reasons(plc_cli *cli, const row *r, plc_text *text)
{
    pleach_status status = PLEACH_OK;

    for (size_t i = 0; i < r->n_reasons; i++)
        TRY(plc_text_printf(cli->ctx, text, "%s%d: %s", i ? "; " : "", r->reasons[i].n,
                            r->reasons[i].text));
done:
    return status;
}

// Operators that are read, a row each.
static pleach_status print_read(coverage *c, plc_text *text)
{
    pleach_status status = PLEACH_OK;
    pleach_ctx *ctx = c->cli->ctx;
    plc_table table = {0};
    plc_text reasons = {0};

    plc_table_column(&table, 'l', "ONNX");
    plc_table_column(&table, 'r', "passed");
    plc_table_column(&table, 'r', "refused");
    plc_table_column(&table, 'l', "why refused");
    for (size_t i = 0; i < c->n_rows; i++) {
        const row *r = &c->rows[i];

        if (!is_read(r->op) && *r->op)
            continue;
        plc_text_finish(&reasons);
        if (*r->op)
            TRY(print_reasons(c->cli, r, &reasons));
        TRY(plc_table_cell(ctx, &table, "%s", *r->op ? r->op : "(several operators)"));
        TRY(plc_table_cell(ctx, &table, "%d", r->counts[PLC_ONNX_CASE_PASSED]));
        TRY(plc_table_cell(ctx, &table, "%d", r->counts[PLC_ONNX_CASE_REFUSED]));
        TRY(plc_table_cell(ctx, &table, "%s", reasons.data ? reasons.data : ""));
    }
    TRY(plc_table_print(ctx, &table, text));
done:
    plc_table_finish(&table);
    plc_text_finish(&reasons);
    return status;
}

static pleach_status print_coverage(coverage *c, const int sums[3])
{
    pleach_status status = PLEACH_OK;
    pleach_ctx *ctx = c->cli->ctx;
    plc_text text = {0};

    TRY(print_read(c, &text));
    TRY(plc_text_printf(ctx, &text, "\nnot read:"));
    for (size_t i = 0; i < c->n_rows; i++)
        if (*c->rows[i].op && !is_read(c->rows[i].op))
            TRY(plc_text_printf(ctx, &text, " %s (%d)", c->rows[i].op,
                                c->rows[i].counts[PLC_ONNX_CASE_REFUSED]));
    TRY(plc_text_printf(ctx, &text, "\n\n%d cases passed, %d refused with a reason, %d wrong\n",
                        sums[PLC_ONNX_CASE_PASSED], sums[PLC_ONNX_CASE_REFUSED],
                        sums[PLC_ONNX_CASE_WRONG]));
    TRY(plc_cli_print(c->cli, &text));
done:
    plc_text_finish(&text);
    return status;
}

static pleach_status print_json(coverage *c, const pleach_device *device, const int sums[3])
{
    json_t *cases = c->cases;

    c->cases = NULL;
    return plc_cli_print_json(
        c->cli,
        json_pack("{s: s, s: o, s: i, s: i, s: i, s: o}", "schema", "pleach.coverage/1", "device",
                  plc_cli_device_json(device), "passed", sums[PLC_ONNX_CASE_PASSED], "refused",
                  sums[PLC_ONNX_CASE_REFUSED], "wrong", sums[PLC_ONNX_CASE_WRONG], "cases", cases));
}

pleach_status plc_cli_ops_coverage(plc_cli *cli, const char *folder)
{
    pleach_status status = PLEACH_OK;
    coverage c = {.cli = cli, .cases = cli->json ? json_array() : NULL};
    const plc_onnx_cases_opts opts = {.folder = folder, .report = count_case, .user = &c};
    pleach_device *device = NULL;
    int sums[3] = {0};

    TRY(plc_cli_open_device(cli, false, &device));
    TRY(plc_onnx_cases_run(cli->ctx, device, &opts));
    TRY(c.status);
    if (c.n_rows)
        qsort(c.rows, c.n_rows, sizeof *c.rows, by_name);
    for (size_t i = 0; i < c.n_rows; i++)
        for (int verdict = 0; verdict < 3; verdict++)
            sums[verdict] += c.rows[i].counts[verdict];
    TRY(cli->json ? print_json(&c, device, sums) : print_coverage(&c, sums));
    if (sums[PLC_ONNX_CASE_WRONG])
        FAIL(cli->ctx, PLEACH_EFAILED, "%d of the ONNX project's cases gave other outputs",
             sums[PLC_ONNX_CASE_WRONG]);
done:
    for (size_t i = 0; i < c.n_rows; i++) {
        free(c.rows[i].op);
        free(c.rows[i].reasons);
    }
    free(c.rows);
    json_decref(c.cases);
    pleach_device_close(&device);
    return status;
}
