// Functions of single values in plain double precision.
#ifndef PLC_TESTS_REFERENCE_ACTIVATION_H
#define PLC_TESTS_REFERENCE_ACTIVATION_H

#include <stdbool.h>

// Operator `op` ("clip", "leaky_relu", "sigmoid", "hard_sigmoid", "hard_swish", "tanh", "elu", "softplus", "softsign") of x.
double plc_reference_activation(const char *op, double alpha, double beta, double x);

// Its slope by central differences.
double plc_reference_activation_slope(const char *op, double alpha, double beta, double x);

// Whether x is so near to a kink that rounding, or a difference, may fall on its other side.
bool plc_reference_activation_kinks(const char *op, double alpha, double beta, double x);

#endif
