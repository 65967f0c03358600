// SGD with momentum and AdamW over the whole weight arena.
#include <train/optimizer.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <base/memory.h>

struct plc_optimizer {
    pleach_session *session; // borrowed
    plc_optimizer_opts opts;
    plc_launch_list list;
    plc_launch *launch; // borrowed from list
    int rate_arg;       // the arguments that change come last: rate, momentum, corrections
    unsigned n_steps;
};

pleach_status plc_optimizer_parse(pleach_ctx *ctx, const char *name, plc_optimizer_kind *kind)
{
    if (strcmp(name, "sgd") == 0)
        *kind = PLC_OPTIMIZER_SGD;
    else if (strcmp(name, "adamw") == 0)
        *kind = PLC_OPTIMIZER_ADAMW;
    else
        return plc_fail(ctx, PLEACH_EUSAGE, "no optimizer '%s'; there are sgd and adamw", name);
    return PLEACH_OK;
}

int plc_optimizer_n_moments(plc_optimizer_kind kind)
{
    return kind == PLC_OPTIMIZER_ADAMW ? 2 : 1;
}

static pleach_status add_launch(plc_optimizer *optimizer)
{
    pleach_status status = PLEACH_OK;
    pleach_session *session = optimizer->session;
    const plc_optimizer_opts *opts = &optimizer->opts;
    const int n = session->layout->n_trainable;
    const bool adamw = opts->kind == PLC_OPTIMIZER_ADAMW;
    plc_launch *launch = NULL;

    TRY(plc_launch_add(&optimizer->list, "optimizer", adamw ? "adamw_step" : "sgd_step", "",
                       &launch));
    plc_launch_arg_buffer(launch, session->weights);
    plc_launch_arg_buffer(launch, session->grads);
    for (int i = 0; i < plc_optimizer_n_moments(opts->kind); i++)
        plc_launch_arg_buffer(launch, session->moments[i]);
    plc_launch_arg_int(launch, n);
    plc_launch_arg_float(launch, 1.0f / plc_loss_gradient_scale(session->device, session->batch));
    plc_launch_arg_float(launch, opts->weight_decay);
    if (adamw) {
        plc_launch_arg_float(launch, opts->beta2);
        plc_launch_arg_float(launch, opts->epsilon);
    } else {
        plc_launch_arg_int(launch, opts->nesterov);
    }
    optimizer->rate_arg = launch->n_args;
    for (int i = 0; i < (adamw ? 4 : 2); i++)
        plc_launch_arg_float(launch, 1.0f);
    plc_launch_items(launch, (size_t)n);
    plc_launch_set_shape(launch, "%d weights", n);
    launch->bytes = (adamw ? 28.0 : 20.0) * n;
    launch->flops = (adamw ? 14.0 : 8.0) * n;
    optimizer->launch = launch;
    TRY(plc_launch_list_freeze(&optimizer->list));
done:
    return status;
}

pleach_status plc_optimizer_create(pleach_session *session, const plc_optimizer_opts *opts,
                                   plc_optimizer **out)
{
    pleach_status status = PLEACH_OK;
    plc_optimizer *optimizer = NULL;
    const size_t bytes = (size_t)session->layout->n_trainable * sizeof(float);

    TRY(plc_alloc(session->ctx, 1, sizeof *optimizer, &optimizer));
    optimizer->session = session;
    optimizer->opts = *opts;
    if (opts->beta2 == 0.0f)
        optimizer->opts.beta2 = 0.999f;
    if (opts->epsilon == 0.0f)
        optimizer->opts.epsilon = 1e-8f;
    plc_launch_list_init(&optimizer->list, session->device);
    for (int i = 0; i < plc_optimizer_n_moments(opts->kind); i++)
        if (session->moments[i] == NULL)
            TRY(plc_buffer_create(session->device, "moments", bytes, &session->moments[i]));
    TRY(add_launch(optimizer));
    *out = optimizer;
    optimizer = NULL;
done:
    plc_optimizer_destroy(&optimizer);
    return status;
}

void plc_optimizer_destroy(plc_optimizer **optimizer)
{
    if (*optimizer == NULL)
        return;
    plc_launch_list_finish(&(*optimizer)->list);
    free(*optimizer);
    *optimizer = NULL;
}

pleach_status plc_optimizer_step(plc_optimizer *optimizer, float learning_rate, float momentum)
{
    pleach_status status = PLEACH_OK;
    const float n_steps = (float)++optimizer->n_steps;
    const float values[] = {learning_rate, momentum, 1.0f - powf(momentum, n_steps),
                            1.0f - powf(optimizer->opts.beta2, n_steps)};

    for (int i = optimizer->rate_arg; i < optimizer->launch->n_args; i++)
        TRY(plc_launch_update_arg(&optimizer->list, optimizer->launch, i,
                                  &values[i - optimizer->rate_arg]));
    TRY(plc_launch_list_run(&optimizer->list));
    plc_session_touch(optimizer->session);
done:
    return status;
}

const plc_launch_list *plc_optimizer_launches(const plc_optimizer *optimizer)
{
    return &optimizer->list;
}

unsigned plc_optimizer_n_steps(const plc_optimizer *optimizer)
{
    return optimizer->n_steps;
}

void plc_optimizer_set_n_steps(plc_optimizer *optimizer, unsigned n_steps)
{
    optimizer->n_steps = n_steps;
}
