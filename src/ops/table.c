// The table of operators. A new one is a file, a .cl file, and a line here.
#include <ops/ops.h>

#include <string.h>

static const struct op *const table[] = {
    &op_input,
    &op_conv,
    &op_linear,
    &op_batch_norm,
    &op_relu,
    &op_fading_relu,
    &op_add,
    &op_concat,
    &op_max_pool,
    &op_avg_pool,
    &op_global_avg_pool,
    &op_flatten,
    &op_clip,
    &op_leaky_relu,
    &op_sigmoid,
    &op_hard_sigmoid,
    &op_hard_swish,
    &op_mul,
    &op_pad,
    &op_slice,
    &op_as_strided,
    &op_softmax,
    &op_log_softmax,
    &op_prelu,
    &op_affine,
    &op_resize,
    &op_conv_transpose,
    &op_tanh,
    &op_elu,
    &op_softplus,
    &op_softsign,
};
enum { N_OPS = sizeof table / sizeof *table };

const struct op *const *plc_op_table(int *n_ops)
{
    *n_ops = N_OPS;
    return table;
}

const struct op *plc_op_find(const char *name)
{
    for (int i = 0; i < N_OPS; i++)
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
    return NULL;
}
