// activation_params.h: run-time arguments of the kernels in activation.cl. Read by C11 and by OpenCL C.
#ifndef PLEACH_ACTIVATION_PARAMS_H
#define PLEACH_ACTIVATION_PARAMS_H

// y = f(x), a, b the parameters of f.
#define ACTIVATION_LEAKY_RELU 0   // x, or a x where x < 0
#define ACTIVATION_SIGMOID 1      // 1 / (1 + exp(-x))
#define ACTIVATION_HARD_SIGMOID 2 // min(max(a x + b, 0), 1)
#define ACTIVATION_HARD_SWISH 3   // x min(max(x / 6 + 1/2, 0), 1)
#define ACTIVATION_TANH 4         // (exp(x) - exp(-x)) / (exp(x) + exp(-x))
#define ACTIVATION_ELU 5          // b x, or b a (exp(x) - 1) where x < 0
#define ACTIVATION_SOFTPLUS 6     // log(1 + exp(x))
#define ACTIVATION_SOFTSIGN 7     // x / (1 + abs(x))

// A view is (planes, first): its buffer has `planes` channels per image block, the tensor begins at
// channel `first`.
typedef struct {
    int C, size; // channels; pixels of a plane, H*W
    int n_images;
    int x_planes, x_first;
    int y_planes, y_first;   // backward: dy
    int dx_planes, dx_first; // backward
    int tile_pixels;         // what a work-group covers, of C*size
    int kind;                // ACTIVATION_*
    int accumulate;          // backward
    float a, b;
} activation_params;

#endif
