// Half-precision numbers.
#include <base/half.h>

#include <math.h>
#include <string.h>

enum {
    SIGN = 0x8000,
    INFINITE = 0x7c00,
    QUIET_NAN = 0x7e00,
    MANTISSA_BITS = 10,
    EXPONENT_BIAS = 15,
    LARGEST_EXPONENT = 31, // infinities and NaNs
};

float plc_half_to_float(uint16_t half)
{
    const int exponent = half >> MANTISSA_BITS & LARGEST_EXPONENT;
    const int mantissa = half & ((1 << MANTISSA_BITS) - 1);
    float magnitude;

    if (exponent == LARGEST_EXPONENT)
        magnitude = mantissa ? NAN : INFINITY;
    else if (exponent == 0)
        magnitude = ldexpf((float)mantissa, 1 - EXPONENT_BIAS - MANTISSA_BITS);
    else
        magnitude = ldexpf((float)(mantissa + (1 << MANTISSA_BITS)),
                           exponent - EXPONENT_BIAS - MANTISSA_BITS);
    return half & SIGN ? -magnitude : magnitude;
}

uint16_t plc_half_from_float(float value)
{
    const unsigned sign = signbit(value) ? SIGN : 0;
    int exponent = 0;

    if (isnan(value))
        return (uint16_t)(sign | QUIET_NAN);
    if (isinf(value))
        return (uint16_t)(sign | INFINITE);
    frexpf(value, &exponent);             // |value| = m * 2^exponent, 0.5 <= m < 1
    const int lowest = 2 - EXPONENT_BIAS; // of a normal half; below, steps stay as they are there
    if (value == 0.0f || exponent < lowest)
        exponent = lowest;
    const int step = exponent - 1 - MANTISSA_BITS; // 2^step between neighbours
    const float steps = nearbyintf(ldexpf(fabsf(value), -step));
    // A mantissa that rounds up to the next power of two carries into the exponent by itself.
    const unsigned bits = ((unsigned)(exponent - lowest) << MANTISSA_BITS) + (unsigned)steps;

    return (uint16_t)(sign | (bits < INFINITE ? bits : INFINITE));
}

float plc_float_of_halfs(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    bits = (bits & 0xffff0000u) | plc_half_from_float(value);
    memcpy(&value, &bits, sizeof value);
    return value;
}
