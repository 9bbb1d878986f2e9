/* Vectors of a few floats, and what is done to single numbers. */
#pragma once

#include <math.h>
#include <stdint.h>

#include "frame.h"

#define INLINE static inline __attribute__((always_inline))
typedef float v4 __attribute__((vector_size(16)));
typedef float v4u __attribute__((vector_size(16), aligned(4), may_alias));
typedef float v8 __attribute__((vector_size(32)));
typedef float v8u __attribute__((vector_size(32), aligned(4), may_alias));
typedef half h4u __attribute__((vector_size(8), aligned(2), may_alias));

INLINE int least(int a, int b) { return a < b ? a : b; }
INLINE int within(int value, int last) { return value < 0 ? 0 : value > last ? last : value; }
/* In this order NaN becomes the lower limit. */
INLINE float clamp(float value, float low, float high) {
    value = value > low ? value : low;
    return value < high ? value : high;
}
INLINE int up(int size) { return (size + 1) / 2; }
INLINE int cells_in(int size) { return (size + CELL - 1) / CELL; }

#define SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
/* Rows never overlap, which a compiler cannot know. */
#define VECTORIZE _Pragma("clang loop vectorize(assume_safety)")
INLINE v4 three(const float *p) { return (v4){p[0], p[1], p[2], 0.0f}; }
INLINE v4 three_halves(const half *p) { return (v4){(float)p[0], (float)p[1], (float)p[2], 0.0f}; }
INLINE v4 four(const float *p) { return *(const v4u *)p; }
INLINE v4 four_halves(const half *p) { return __builtin_convertvector(*(const h4u *)p, v4); }
INLINE v4 splat(float value) { return (v4){value, value, value, value}; }

INLINE v8 eight(const float *p) { return *(const v8u *)p; }

/* Four vectors, element by element in turn. */
INLINE void transpose(v4 a, v4 b, v4 c, v4 d, float *out) {
    v4 low = SHUFFLE(a, b, 0, 4, 1, 5), high = SHUFFLE(a, b, 2, 6, 3, 7);
    v4 other_low = SHUFFLE(c, d, 0, 4, 1, 5), other_high = SHUFFLE(c, d, 2, 6, 3, 7);
    *(v4u *)out = SHUFFLE(low, other_low, 0, 1, 4, 5);
    *(v4u *)(out + 4) = SHUFFLE(low, other_low, 2, 3, 6, 7);
    *(v4u *)(out + 8) = SHUFFLE(high, other_high, 0, 1, 4, 5);
    *(v4u *)(out + 12) = SHUFFLE(high, other_high, 2, 3, 6, 7);
}

/* exp(x) for x <= 0, to a few units in the last place. */
INLINE float decay(float x) {
    float scaled = clamp(x, -87.0f, 0.0f) * 1.44269504f;
    float whole = floorf(scaled), part = scaled - whole; /* 2^part on [0, 1) by its series around 1/2 */
    float p = part - 0.5f;
    float power =
        1.41421356f +
        p * (0.980258143f +
             p * (0.339732016f + p * (0.0784947759f + p * (0.0136021187f + p * (0.00188565267f + p * 0.000217841f)))));
    union {
        int32_t bits;
        float value;
    } two = {.bits = ((int32_t)whole + 127) << 23};
    return power * two.value;
}

/* exp(-weight max(difference - noise, 0)): how far what looks so different is trusted. */
INLINE float trust_in(float difference, float noise, float weight) {
    float excess = difference - noise;
    return decay(-weight * (excess > 0.0f ? excess : 0.0f));
}
