// Optimizers: one launch updates every trainable parameter of the network.
//   w, g, m, v   arenas of n floats at the same offsets: weights, gradients, first and second moments
//   unscale      takes the loss's gradient_scale out of g: a power of two
// Work: one item per parameter, 1-D. No reductions, so any order of items gives the same bits.
// Bytes: sgd 20 n (w, m read and written, g read), adamw 28 n. FLOPs: about 8 n and 14 n.

// PyTorch's SGD: g += decay w;  m = momentum m + g;  w -= rate (nesterov ? g + momentum m : m).
__kernel void sgd_step(__global float *restrict w, __global const float *restrict g,
                       __global float *restrict m, const int n, const float unscale,
                       const float decay, const int nesterov, const float rate, const float momentum)
{
    const int i = get_global_id(0);
    if (i >= n)
        return;
    const float gradient = fma(decay, w[i], unscale * g[i]);
    const float velocity = fma(momentum, m[i], gradient);
    m[i] = velocity;
    w[i] = fma(-rate, nesterov ? fma(momentum, velocity, gradient) : velocity, w[i]);
}

// AdamW (Loshchilov and Hutter, 2019): decay acts on the weights, not through the moments.
//   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g g
//   w = w - rate decay w - rate (m / correction1) / (sqrt(v / correction2) + epsilon)
__kernel void adamw_step(__global float *restrict w, __global const float *restrict g,
                         __global float *restrict m, __global float *restrict v, const int n,
                         const float unscale, const float decay, const float beta2, const float epsilon,
                         const float rate, const float beta1, const float correction1,
                         const float correction2)
{
    const int i = get_global_id(0);
    if (i >= n)
        return;
    const float gradient = unscale * g[i];
    const float first = fma(beta1, m[i], (1.0f - beta1) * gradient);
    const float second = fma(beta2, v[i], (1.0f - beta2) * gradient * gradient);
    m[i] = first;
    v[i] = second;
    const float decayed = fma(-rate * decay, w[i], w[i]);
    w[i] = decayed - rate * (first / correction1) / (sqrt(second / correction2) + epsilon);
}
