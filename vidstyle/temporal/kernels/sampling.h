/* Pictures read at fractional positions; outside them the border pixel repeats. */
#pragma once

#include <stddef.h>

#include "vectors.h"

/* Pixels are read as four floats, the fourth of which is the next pixel's: not where there is none. */
#define SAMPLE_BILINEAR(NAME, TYPE, THREE, FOUR)                                                                       \
    INLINE v4 NAME(const TYPE *image, int height, int width, float x, float y) {                                       \
        x = clamp(x, 0.0f, (float)(width - 1));                                                                        \
        y = clamp(y, 0.0f, (float)(height - 1));                                                                       \
        int i = (int)x, j = (int)y;                                                                                    \
        v4 u = splat(x - (float)i), v = splat(y - (float)j), a, b, c, d;                                               \
        const TYPE *upper = image + 3 * ((size_t)j * width),                                                           \
                   *lower = image + 3 * ((size_t)least(j + 1, height - 1) * width);                                    \
        if (i + 2 < width) {                                                                                           \
            a = FOUR(upper + 3 * i), b = FOUR(upper + 3 * i + 3), c = FOUR(lower + 3 * i),                             \
            d = FOUR(lower + 3 * i + 3);                                                                               \
        } else {                                                                                                       \
            int k = least(i + 1, width - 1);                                                                           \
            a = THREE(upper + 3 * i), b = THREE(upper + 3 * k), c = THREE(lower + 3 * i), d = THREE(lower + 3 * k);    \
        }                                                                                                              \
        v4 top = a + u * (b - a), bottom = c + u * (d - c);                                                            \
        return top + v * (bottom - top);                                                                               \
    }
SAMPLE_BILINEAR(bilinear, float, three, four)
SAMPLE_BILINEAR(bilinear_half, half, three_halves, four_halves)

/* Keys's cubic with a = -0.75, as OpenCV and torch have it: weights of four neighbours, `t` past the second. */
INLINE float outer(float t, float s) { return -0.75f * t * s * s; }
INLINE float inner(float t) { return (1.25f * t - 2.25f) * t * t + 1.0f; }

/* The mean of sixteen neighbours, twelve floats a row from `p` on, under the weights u along x and v along y. */
#define BICUBIC(NAME, TYPE, FOUR)                                                                                      \
    INLINE v4 NAME(const TYPE *p, size_t width, v4 u, v4 v) {                                                          \
        v4 a = splat(v[0]) * FOUR(p), b = splat(v[0]) * FOUR(p + 4), c = splat(v[0]) * FOUR(p + 8);                    \
        for (int r = 1; r < 4; r++) {                                                                                  \
            p += 3 * width;                                                                                            \
            a += splat(v[r]) * FOUR(p), b += splat(v[r]) * FOUR(p + 4), c += splat(v[r]) * FOUR(p + 8);                \
        }                                                                                                              \
        return splat(u[0]) * a + splat(u[1]) * SHUFFLE(a, b, 3, 4, 5, 6) + splat(u[2]) * SHUFFLE(b, c, 2, 3, 4, 5) +   \
               splat(u[3]) * SHUFFLE(c, c, 1, 2, 3, 0);                                                                \
    }
BICUBIC(bicubic, float, four)
BICUBIC(bicubic_half, half, four_halves)

/* The same anywhere: beyond the border it repeats. */
#define SAMPLE_BICUBIC(NAME, TYPE, THREE, INSIDE)                                                                      \
    static v4 NAME(const TYPE *image, int height, int width, float x, float y) {                                       \
        x = clamp(x, -3.0f, (float)(width + 2));                                                                       \
        y = clamp(y, -3.0f, (float)(height + 2));                                                                      \
        float left = floorf(x), top = floorf(y), s = x - left, t = y - top;                                            \
        v4 u = {outer(s, 1.0f - s), inner(s), inner(1.0f - s), outer(1.0f - s, s)};                                    \
        v4 v = {outer(t, 1.0f - t), inner(t), inner(1.0f - t), outer(1.0f - t, t)};                                    \
        int i = (int)left - 1, j = (int)top - 1;                                                                       \
        if (i >= 0 && j >= 0 && i + 4 <= width && j + 4 <= height)                                                     \
            return INSIDE(image + 3 * ((size_t)j * width + i), width, u, v);                                           \
        v4 sum = splat(0.0f);                                                                                          \
        for (int r = 0; r < 4; r++) {                                                                                  \
            const TYPE *row = image + 3 * ((size_t)within(j + r, height - 1) * width);                                 \
            for (int c = 0; c < 4; c++)                                                                                \
                sum += splat(v[r] * u[c]) * THREE(row + 3 * within(i + c, width - 1));                                 \
        }                                                                                                              \
        return sum;                                                                                                    \
    }
SAMPLE_BICUBIC(sample, float, three, bicubic)
SAMPLE_BICUBIC(sample_half, half, three_halves, bicubic_half)
