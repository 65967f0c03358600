// The greedy choice of blocks, by ablation on calibration images.
#include <fuse/importance.h>

#include <math.h>
#include <string.h>

// Left to choose, at most one block in so many goes: accuracies of a network that has learnt little say
// little about its blocks.
enum { LARGEST_PART = 4 };

pleach_status plc_gate_set(pleach_session *session, int node, float gate)
{
    unsigned pattern;

    memcpy(&pattern, &gate, sizeof pattern);
    plc_session_touch(session);
    return plc_buffer_fill(session->device, session->gates, (size_t)node * sizeof gate, sizeof gate,
                           pattern);
}

static pleach_status measure(pleach_session *session, const plc_split *calibration, double *loss,
                             double *accuracy)
{
    pleach_status status = PLEACH_OK;
    plc_metrics metrics;

    TRY(plc_evaluate_split(session, calibration, &metrics));
    *loss = metrics.loss_sum / metrics.n_images;
    *accuracy = metrics.n_correct / metrics.n_images;
done:
    return status;
}

// Measures each block that is still there; *weakest is the one of least importance, -1 if none is left.
static pleach_status measure_round(pleach_session *session, const plc_blocks *blocks,
                                   const plc_split *calibration, double base_loss,
                                   plc_block_choice *choices, int *weakest)
{
    pleach_status status = PLEACH_OK;

    *weakest = -1;
    for (int i = 0; i < blocks->n_items; i++) {
        double loss;
        if (choices[i].round >= 0 || blocks->items[i].gate == PLC_NO_NODE)
            continue;
        TRY(plc_gate_set(session, blocks->items[i].gate, 0.0f));
        TRY(measure(session, calibration, &loss, &choices[i].accuracy));
        TRY(plc_gate_set(session, blocks->items[i].gate, 1.0f));
        choices[i].importance = loss - base_loss;
        if (*weakest < 0 || choices[i].importance < choices[*weakest].importance)
            *weakest = i;
    }
done:
    return status;
}

pleach_status plc_blocks_choose(pleach_session *session, const plc_blocks *blocks,
                                const plc_split *calibration, const plc_drop_opts *opts,
                                plc_block_choice *choices)
{
    pleach_status status = PLEACH_OK;
    double loss, accuracy;
    const int most = opts->n_drop < 0 ? blocks->n_items / LARGEST_PART : opts->n_drop;

    for (int i = 0; i < blocks->n_items; i++)
        choices[i] = (plc_block_choice){.importance = NAN, .accuracy = NAN, .round = -1};
    if (blocks->n_items == 0)
        return PLEACH_OK;
    TRY(measure(session, calibration, &loss, &accuracy));
    const double floor = accuracy - opts->tolerance;
    for (int round = 0; round < most; round++) {
        int weakest;
        TRY(measure_round(session, blocks, calibration, loss, choices, &weakest));
        if (weakest < 0 || (opts->n_drop < 0 && choices[weakest].accuracy < floor))
            break;
        choices[weakest].round = round;
        loss += choices[weakest].importance;
        TRY(plc_gate_set(session, blocks->items[weakest].gate, 0.0f));
    }
    for (int i = 0; i < blocks->n_items; i++)
        if (choices[i].round >= 0)
            TRY(plc_gate_set(session, blocks->items[i].gate, 1.0f));
done:
    return status;
}
