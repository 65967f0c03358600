// The greedy choice of blocks, by ablation on calibration images.
#include <fuse/importance.h>

#include <math.h>
#include <string.h>

// Left to choose, at most one block in so many goes: accuracies of a network that has learnt little say
// little about its blocks.
enum { LARGEST_PART = 4 };

bool plc_block_may_drop(const plc_block *block)
{
    return block->gate != PLC_NO_NODE && !block->kept;
}

pleach_status plc_gate_set(pleach_session *session, int node, float gate)
{
    unsigned pattern;

    memcpy(&pattern, &gate, sizeof pattern);
    plc_session_touch(session);
    return plc_buffer_fill(session->device, session->gates, (size_t)node * sizeof gate, sizeof gate,
                           pattern);
}

// A quarter of the images tells blocks apart: each is measured on the same ones.
enum { IMAGES_PART = 4, LEAST_IMAGES = 256 };

plc_split plc_importance_images(const plc_split *calibration)
{
    const int part = calibration->n_images / IMAGES_PART;
    const int n = part > LEAST_IMAGES ? part : LEAST_IMAGES;
    plc_split images = *calibration;

    if (n < images.n_images)
        images.n_images = n;
    return images;
}

pleach_status plc_importance_loss(pleach_session *session, const plc_split *images, double *loss)
{
    pleach_status status = PLEACH_OK;
    plc_metrics metrics;

    TRY(plc_evaluate_split(session, images, &metrics));
    *loss = metrics.loss_sum / metrics.n_images;
done:
    return status;
}

pleach_status plc_importance_loss_without(pleach_session *session, const plc_block *block,
                                          const plc_split *images, double *loss)
{
    pleach_status status = PLEACH_OK;

    TRY(plc_gate_set(session, block->gate, 0.0f));
    TRY(plc_importance_loss(session, images, loss));
    TRY(plc_gate_set(session, block->gate, 1.0f));
done:
    return status;
}

static bool is_candidate(const plc_blocks *blocks, const plc_block_choice *choices, int i)
{
    return choices[i].round < 0 && plc_block_may_drop(&blocks->items[i]);
}

// The candidate of least importance as it was measured last; one that never was comes before all others. -1: none.
static int least_known(const plc_blocks *blocks, const plc_block_choice *choices)
{
    int least = -1;

    for (int i = 0; i < blocks->n_items; i++) {
        if (!is_candidate(blocks, choices, i))
            continue;
        if (isnan(choices[i].importance))
            return i;
        if (least < 0 || choices[i].importance < choices[least].importance)
            least = i;
    }
    return least;
}

// The block of least importance in this round, -1: none is left. Importances rarely fall as more blocks go, so only
// those are measured again that still look weakest (lazy evaluation: Minoux, 1978).
static pleach_status find_weakest(pleach_session *session, const plc_blocks *blocks,
                                  const plc_split *images, double base, int round,
                                  plc_block_choice *choices, int *weakest)
{
    pleach_status status = PLEACH_OK;

    for (;;) {
        *weakest = least_known(blocks, choices);
        if (*weakest < 0 || choices[*weakest].measured_in == round)
            break;
        double loss;
        TRY(plc_importance_loss_without(session, &blocks->items[*weakest], images, &loss));
        choices[*weakest].importance = isnan(loss) ? INFINITY : loss - base;
        choices[*weakest].measured_in = round;
    }
done:
    return status;
}

static pleach_status accuracy_of(pleach_session *session, const plc_split *calibration,
                                 double *accuracy)
{
    pleach_status status = PLEACH_OK;
    plc_metrics metrics;

    TRY(plc_evaluate_split(session, calibration, &metrics));
    *accuracy = metrics.n_correct / metrics.n_images;
done:
    return status;
}

pleach_status plc_blocks_choose(pleach_session *session, const plc_blocks *blocks,
                                const plc_split *calibration, const plc_drop_opts *opts,
                                plc_block_choice *choices)
{
    pleach_status status = PLEACH_OK;
    double base = 0, floor = 0, accuracy = 0;
    const plc_split images = plc_importance_images(calibration);
    const bool by_accuracy = opts->n_drop < 0;
    const int most = by_accuracy ? blocks->n_items / LARGEST_PART : opts->n_drop;

    for (int i = 0; i < blocks->n_items; i++)
        choices[i] = (plc_block_choice){.importance = NAN, .round = -1, .measured_in = -1};
    if (blocks->n_items == 0)
        return PLEACH_OK;
    TRY(plc_importance_loss(session, &images, &base));
    if (by_accuracy)
        TRY(accuracy_of(session, calibration, &floor));
    floor -= opts->tolerance;
    for (int round = 0; round < most; round++) {
        int weakest;
        TRY(find_weakest(session, blocks, &images, base, round, choices, &weakest));
        if (weakest < 0)
            break;
        TRY(plc_gate_set(session, blocks->items[weakest].gate, 0.0f));
        if (by_accuracy)
            TRY(accuracy_of(session, calibration, &accuracy));
        if (by_accuracy && accuracy < floor) {
            TRY(plc_gate_set(session, blocks->items[weakest].gate, 1.0f));
            break;
        }
        choices[weakest].round = round;
        base += choices[weakest].importance;
    }
    for (int i = 0; i < blocks->n_items; i++)
        if (choices[i].round >= 0)
            TRY(plc_gate_set(session, blocks->items[i].gate, 1.0f));
done:
    return status;
}
