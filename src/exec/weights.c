// The weight arena as the host sees it: initial values, and whole arenas to and from files.
#include <exec/session.h>

#include <math.h>
#include <string.h>
#include <base/random.h>

void plc_initial_weights(const pleach_graph *graph, const plc_params_layout *layout,
                         unsigned long long seed, float *weights)
{
    for (int i = 0; i < layout->n_places; i++) {
        const plc_param_place *place = &layout->places[i];
        const plc_param *param = &graph->nodes[place->node].params[place->param];
        float *values = weights + place->offset;

        if (strcmp(param->name, "weight") == 0) {
            float fan_in = 1;
            for (int d = 1; d < param->n_dims; d++)
                fan_in *= (float)param->dims[d];
            plc_random_fill_normal(seed, PLC_STREAM_WEIGHTS, (plc_u32)i, 0.0f,
                                   param->n_dims > 2 ? sqrtf(2.0f / fan_in) : sqrtf(1.0f / fan_in),
                                   values, (size_t)place->count);
            continue;
        }
        const bool one = strcmp(param->name, "gamma") == 0 || strcmp(param->name, "scale") == 0 ||
                         strcmp(param->name, "running_var") == 0;
        for (int j = 0; j < place->count; j++)
            values[j] = one ? 1.0f : 0.0f;
    }
}

pleach_status plc_session_read_weights(pleach_session *s, float *weights)
{
    return plc_buffer_read(s->device, s->weights, 0, (size_t)s->layout->n_floats * sizeof *weights,
                           weights);
}

pleach_status plc_session_write_weights(pleach_session *s, const float *weights)
{
    plc_session_touch(s);
    return plc_buffer_write(s->device, s->weights, 0, (size_t)s->layout->n_floats * sizeof *weights,
                            weights);
}
