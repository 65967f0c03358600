// activation.h: the functions of single values, on any lanes (OpenCL C 1.2).
#ifndef PLEACH_ACTIVATION_H
#define PLEACH_ACTIVATION_H

#include "lanes.h"
#include "activation_params.h"

static inline real_t sigmoid(real_t v)
{
    return (real_t)(1.0f) / ((real_t)(1.0f) + exp(-v));
}

// f(v) of ACTIVATION_*.
static inline real_t activation(const int kind, real_t v, float a, float b)
{
    switch (kind) {
    case ACTIVATION_LEAKY_RELU: return select(v, v * a, v < (real_t)(0.0f));
    case ACTIVATION_SIGMOID: return sigmoid(v);
    case ACTIVATION_HARD_SIGMOID: return limit(v * a + b, 0.0f, 1.0f);
    case ACTIVATION_HARD_SWISH: return v * limit(v * (1.0f / 6.0f) + 0.5f, 0.0f, 1.0f);
    case ACTIVATION_TANH: return tanh(v);
    case ACTIVATION_ELU: return select(v, (exp(v) - 1.0f) * a, v < (real_t)(0.0f)) * b;
    case ACTIVATION_SOFTPLUS: return limit(v, 0.0f, INFINITY) + log(exp(-fabs(v)) + 1.0f);
    default: return v / (fabs(v) + 1.0f);
    }
}

#endif
