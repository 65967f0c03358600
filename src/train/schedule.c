// Learning rate schedules.
#include <train/schedule.h>

#include <math.h>
#include <stdbool.h>
#include <string.h>

// As PyTorch's OneCycleLR: first rate peak/25, last one that/10000.
static const double ONE_CYCLE_RISE = 25.0, ONE_CYCLE_FALL = 1e4;
static const double ONE_CYCLE_MOMENTUM_SWING = 0.05,
                    MOST_MOMENTUM = 0.999; // at 1 nothing would be forgotten

pleach_status plc_schedule_parse(pleach_ctx *ctx, const char *name, plc_schedule_kind *kind)
{
    if (strcmp(name, "one-cycle") == 0)
        *kind = PLC_SCHEDULE_ONE_CYCLE;
    else if (strcmp(name, "two-cycles") == 0)
        *kind = PLC_SCHEDULE_TWO_CYCLES;
    else if (strcmp(name, "cosine") == 0)
        *kind = PLC_SCHEDULE_COSINE;
    else if (strcmp(name, "step") == 0)
        *kind = PLC_SCHEDULE_STEP;
    else
        return plc_fail(ctx, PLEACH_EUSAGE,
                        "no schedule '%s'; there are one-cycle, two-cycles, cosine and step", name);
    return PLEACH_OK;
}

// From `begin` at share 0 to `end` at share 1 along half a cosine.
static double anneal(double begin, double end, double share)
{
    return end + (begin - end) * 0.5 * (1.0 + cos(acos(-1.0) * share));
}

void plc_schedule_at(const plc_schedule *s, unsigned step, float *learning_rate, float *momentum)
{
    if (s->kind == PLC_SCHEDULE_TWO_CYCLES) {
        plc_schedule cycle = *s;
        const bool first = step < s->n_first;

        cycle.kind = PLC_SCHEDULE_ONE_CYCLE;
        cycle.n_steps = first ? s->n_first : s->n_steps - s->n_first;
        plc_schedule_at(&cycle, first ? step : step - s->n_first, learning_rate, momentum);
        return;
    }

    const double n = s->n_steps > 1 ? (double)s->n_steps - 1.0 : 1.0;
    const double position = (double)step / n, warmup = (double)s->warmup;
    const bool rising = position < warmup;
    const double share = rising         ? position / warmup
                         : warmup < 1.0 ? (position - warmup) / (1.0 - warmup)
                                        : 1.0;
    const double peak = (double)s->peak;
    const double high = fmin((double)s->momentum + ONE_CYCLE_MOMENTUM_SWING, MOST_MOMENTUM);
    const double low = fmax((double)s->momentum - ONE_CYCLE_MOMENTUM_SWING, 0);
    double rate = peak, swing = (double)s->momentum;

    switch (s->kind) {
    case PLC_SCHEDULE_TWO_CYCLES: // was taken apart above
    case PLC_SCHEDULE_ONE_CYCLE:
        rate = rising ? anneal(peak / ONE_CYCLE_RISE, peak, share)
                      : anneal(peak, peak / ONE_CYCLE_RISE / ONE_CYCLE_FALL, share);
        swing = rising ? anneal(high, low, share) : anneal(low, high, share);
        break;
    case PLC_SCHEDULE_COSINE:
        rate = rising ? peak * share : anneal(peak, 0.0, share);
        break;
    case PLC_SCHEDULE_STEP:
        rate = rising            ? peak * share
               : position < 0.5  ? peak
               : position < 0.75 ? peak / 10
                                 : peak / 100;
        break;
    }
    *learning_rate = (float)rate;
    *momentum = (float)swing;
}
