// Half-precision numbers (IEEE 754 binary16) as their bits, to and from floats.
#ifndef PLC_BASE_HALF_H
#define PLC_BASE_HALF_H

#include <stdint.h>

// Exact; a NaN stays one.
float plc_half_to_float(uint16_t half);

// The nearest half, of two equally near ones the even one; infinity from 65520 on. As OpenCL's
// vstore_half_rte.
uint16_t plc_half_from_float(float value);

// A float near `value` (0.5 <= |value| < 2) whose bits read as two halfs are of that kind too: inputs that
// a kernel may read as either.
float plc_float_of_halfs(float value);

#endif
