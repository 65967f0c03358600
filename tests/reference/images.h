// Operators on whole images in plain double precision: other orders, sizes and borders.
#ifndef PLC_TESTS_REFERENCE_IMAGES_H
#define PLC_TESTS_REFERENCE_IMAGES_H

#include <graph/graph.h>

// Node `node` of one image x into y, with its parameters (those that it has). False for an operator that is not here.
bool plc_reference_image(const pleach_graph *graph, int node, const float *const *params,
                         const double *x, double *y);

#endif
