// Softmax cross-entropy with label smoothing in plain double precision.
#ifndef PLC_TESTS_REFERENCE_LOSS_H
#define PLC_TESTS_REFERENCE_LOSS_H

#include <stdbool.h>

// One image of K classes: returns its loss; *correct says whether the first largest logit is the
// label's; dlogits (may be NULL) is softmax - target.
double plc_reference_loss(const float *logits, int K, int label, double smoothing, bool *correct,
                          double *dlogits);

#endif
