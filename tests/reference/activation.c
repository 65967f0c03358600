// Functions of single values by their definitions.
#include "activation.h"

#include <math.h>
#include <string.h>

static const double STEP = 1e-5, NEAR = 1e-2;

static double limit(double x, double low, double high)
{
    return fmin(fmax(x, low), high);
}

double plc_reference_activation(const char *op, double alpha, double beta, double x)
{
    if (strcmp(op, "clip") == 0)
        return limit(x, alpha, beta);
    if (strcmp(op, "leaky_relu") == 0)
        return x < 0 ? alpha * x : x;
    if (strcmp(op, "sigmoid") == 0)
        return 1 / (1 + exp(-x));
    if (strcmp(op, "hard_sigmoid") == 0)
        return limit(alpha * x + beta, 0, 1);
    if (strcmp(op, "hard_swish") == 0)
        return x * limit(x / 6 + 0.5, 0, 1);
    if (strcmp(op, "tanh") == 0)
        return tanh(x);
    if (strcmp(op, "elu") == 0)
        return beta * (x < 0 ? alpha * (exp(x) - 1) : x);
    if (strcmp(op, "softplus") == 0)
        return log(1 + exp(x));
    if (strcmp(op, "softsign") == 0)
        return x / (1 + fabs(x));
    return NAN;
}

double plc_reference_activation_slope(const char *op, double alpha, double beta, double x)
{
    return (plc_reference_activation(op, alpha, beta, x + STEP) -
            plc_reference_activation(op, alpha, beta, x - STEP)) /
           (2 * STEP);
}

bool plc_reference_activation_kinks(const char *op, double alpha, double beta, double x)
{
    double kinks[2] = {NAN, NAN};

    if (strcmp(op, "clip") == 0) {
        kinks[0] = alpha;
        kinks[1] = beta;
    } else if (strcmp(op, "leaky_relu") == 0 || strcmp(op, "elu") == 0) {
        kinks[0] = 0;
    } else if (strcmp(op, "hard_sigmoid") == 0) {
        kinks[0] = -beta / alpha;
        kinks[1] = (1 - beta) / alpha;
    } else if (strcmp(op, "hard_swish") == 0) {
        kinks[0] = -3;
        kinks[1] = 3;
    }
    return fabs(x - kinks[0]) < NEAR || fabs(x - kinks[1]) < NEAR;
}
