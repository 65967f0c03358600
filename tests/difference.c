// How far two lists of values are apart.
#include "difference.h"

#include <math.h>

// What has been seen of two lists.
typedef struct seen {
    double worst, largest;
} seen;

static void see(seen *s, double a, double b)
{
    if (!isfinite(a) || !isfinite(b))
        s->worst = INFINITY;
    s->worst = fmax(s->worst, fabs(a - b));
    s->largest = fmax(s->largest, fabs(a));
}

static double relative(const seen *s)
{
    return s->worst > 0 ? s->worst / s->largest : 0;
}

double plc_difference(const double *a, const double *b, size_t n)
{
    seen s = {0};

    for (size_t i = 0; i < n; i++)
        see(&s, a[i], b[i]);
    return isinf(s.worst) ? INFINITY : relative(&s);
}

double plc_difference_of_floats(const float *a, const float *b, size_t n)
{
    seen s = {0};

    for (size_t i = 0; i < n; i++)
        see(&s, (double)a[i], (double)b[i]);
    return isinf(s.worst) ? INFINITY : relative(&s);
}
