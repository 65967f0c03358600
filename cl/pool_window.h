// pool_window.h: which pixels a window of a pool covers along one axis. Read by C11 and by OpenCL C.
#ifndef PLEACH_POOL_WINDOW_H
#define PLEACH_POOL_WINDOW_H

// Pixels begin, begin + dilation, and so on.
typedef struct {
    int begin, count;
} pool_span;

// Those of window o that lie inside the image's `size` pixels. Divides at the borders only.
static inline pool_span pool_window(int o, int kernel_size, int stride, int pad, int dilation, int size)
{
    const int first = o * stride - pad, last = first + (kernel_size - 1) * dilation;
    const int before = first < 0 ? (dilation - 1 - first) / dilation : 0;
    const int behind = last >= size ? (last - size) / dilation + 1 : 0;
    const pool_span span = {first + before * dilation, kernel_size - before - behind};

    return span;
}

#endif
