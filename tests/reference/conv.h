// Convolution in plain double precision: forward and all gradients. A linear layer is R = S = H = W
// = 1.
#ifndef PLC_TESTS_REFERENCE_CONV_H
#define PLC_TESTS_REFERENCE_CONV_H

// x [N][groups*C][H][W], w [groups*K][C][R][S], y [N][groups*K][P][Q].
typedef struct plc_reference_conv {
    int N, groups, C, K; // C and K of one group
    int H, W, P, Q, R, S;
    int stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
} plc_reference_conv;

// y = conv(x, w), without bias.
void plc_reference_conv_forward(const plc_reference_conv *p, const float *x, const float *w,
                                double *y);

// dx += and dw += the gradients for dy; either may be NULL.
void plc_reference_conv_backward(const plc_reference_conv *p, const float *x, const float *w,
                                 const float *dy, double *dx, double *dw);

#endif
