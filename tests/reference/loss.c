// Softmax cross-entropy by its definition.
#include "loss.h"

#include <math.h>

double plc_reference_loss(const float *logits, int K, int label, double smoothing, bool *correct,
                          double *dlogits)
{
    double largest = (double)logits[0], sum = 0, loss = 0;
    int best = 0;

    for (int k = 1; k < K; k++)
        if ((double)logits[k] > largest) {
            largest = (double)logits[k];
            best = k;
        }
    *correct = best == label;
    for (int k = 0; k < K; k++)
        sum += exp((double)logits[k] - largest);
    for (int k = 0; k < K; k++) {
        const double target = smoothing / K + (k == label ? 1 - smoothing : 0);
        const double log_softmax = (double)logits[k] - largest - log(sum);
        loss -= target * log_softmax;
        if (dlogits)
            dlogits[k] = exp(log_softmax) - target;
    }
    return loss;
}
