// Kernels of which it is known what a compiler makes, so that tools/vendor-compile can tell that it
// reads compilers rightly before it believes them.

// An array that is indexed by data and too large for registers: in memory on every vendor.
__kernel void in_memory(__global float *x, const int n)
{
    float a[512];

    for (int i = 0; i < 512; i++)
        a[i] = x[i];
    for (int i = 0; i < n; i++)
        a[(int)x[i + 512] & 511] += 1.0f;
    for (int i = 0; i < 512; i++)
        x[i] = a[i];
}

// A loop of FMAs and little else, in registers.
__kernel void in_registers(__global float *x, const int n)
{
    const float v = x[0], w = x[1];
    float a = x[get_global_id(0)], b = 0.0f, c = 0.0f, d = 0.0f;

    for (int i = 0; i < n; i++) {
        a = fma(a, v, w);
        b = fma(b, w, a);
        c = fma(c, a, b);
        d = fma(d, b, c);
    }
    x[get_global_id(0)] = a + b + c + d;
}

// More values than any vendor's work-item has registers, all wanted in every turn of the loop.
#define MANY 600
__kernel void spilling(__global float *x, const int n)
{
    float a[MANY];

#pragma unroll
    for (int j = 0; j < MANY; j++)
        a[j] = x[get_global_id(0) + j];
    for (int i = 0; i < n; i++)
#pragma unroll
        for (int j = 0; j < MANY; j++)
            a[j] = fma(a[j], x[i], a[(j + 1) % MANY]);
#pragma unroll
    for (int j = 0; j < MANY; j++)
        x[get_global_id(0) + j] = a[j];
}
