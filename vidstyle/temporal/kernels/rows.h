/* Rows of pictures: enlarged, halved, blurred, packed and unpacked. */
#pragma once

#include <stdlib.h>

#include "vectors.h"

/* Where pixel i of `to` lies among `from`, in halves of pixels' sides: between index and index + 1. */
INLINE void place(int i, int from, int to, int *index, float *share) {
    float at = clamp(((float)i + 0.5f) * ((float)from / (float)to) - 0.5f, 0.0f, (float)(from - 1));
    *index = (int)at;
    *share = at - (float)*index;
}

/* Bilinear enlargement, row by row. */
typedef struct {
    int from, to;
    int *index;
    float *share, *row; /* row[-1] and row[from] repeat the border */
} Axis;

static size_t axis_floats(int from, int to) { return 2 * (size_t)to + (size_t)from + 34; }

static Axis axis(int from, int to, float **scratch) {
    Axis a = {from, to, (int *)*scratch, *scratch + to, *scratch + 2 * (size_t)to + 16};
    for (int i = 0; i < to; i++)
        place(i, from, to, &a.index[i], &a.share[i]);
    *scratch += axis_floats(from, to);
    return a;
}

INLINE void spread(const Axis *a, float *restrict out) {
    float *restrict row = a->row;
    row[-1] = row[0];
    row[a->from] = row[a->from - 1];
    int x = 0;
    if (a->to == 2 * a->from) {
        for (; x + 8 <= a->from; x += 8) {
            v8 before = eight(row + x - 1), here = eight(row + x), after = eight(row + x + 1);
            v8 even = 0.25f * before + 0.75f * here, odd = 0.75f * here + 0.25f * after;
            *(v8u *)(out + 2 * x) = __builtin_shufflevector(even, odd, 0, 8, 1, 9, 2, 10, 3, 11);
            *(v8u *)(out + 2 * x + 8) = __builtin_shufflevector(even, odd, 4, 12, 5, 13, 6, 14, 7, 15);
        }
        x *= 2;
    } else if (a->to == 4 * a->from) {
        for (; x + 4 <= a->from; x += 4) {
            v4 before = four(row + x - 1), here = four(row + x), after = four(row + x + 1);
            v4 p = 0.375f * before + 0.625f * here, q = 0.125f * before + 0.875f * here;
            v4 r = 0.875f * here + 0.125f * after, s = 0.625f * here + 0.375f * after;
            transpose(p, q, r, s, out + 4 * x);
        }
        x *= 4;
    }
    VECTORIZE
    for (int i = x; i < a->to; i++) {
        float here = row[a->index[i]];
        out[i] = here + a->share[i] * (row[a->index[i] + 1] - here);
    }
}

/* Row y of (from_height, a->from, stride), one of its channels, at the height `to_height`. */
INLINE void enlarged_channel(const float *image, int stride, int from_height, int to_height, int y, const Axis *a,
                             float *restrict out) {
    int k;
    float share;
    place(y, from_height, to_height, &k, &share);
    size_t width = (size_t)stride * a->from;
    const float *upper = image + (size_t)k * width, *lower = image + (size_t)least(k + 1, from_height - 1) * width;
    float *restrict row = a->row;
    for (int x = 0; x < a->from; x++)
        row[x] = upper[stride * x] + share * (lower[stride * x] - upper[stride * x]);
    spread(a, out);
}
INLINE void enlarged(const float *plane, int from_height, int to_height, int y, const Axis *a, float *restrict out) {
    enlarged_channel(plane, 1, from_height, to_height, y, a, out);
}
INLINE void enlarged_flow(const float *flow, int from_height, int to_height, int y, int channel, const Axis *a,
                          float *restrict out) {
    enlarged_channel(flow + channel, 2, from_height, to_height, y, a, out);
}

/* [1 3 3 1] along both sides and every second pixel: rows of (up(height), up(width)). */
static void halve(const float *plane, int height, int width, float *half_plane, int first, int last, float *row) {
    for (int y = first; y < last; y++) {
        const float *a = plane + (size_t)within(2 * y - 1, height - 1) * width, *b = plane + (size_t)(2 * y) * width;
        const float *c = plane + (size_t)least(2 * y + 1, height - 1) * width;
        const float *d = plane + (size_t)least(2 * y + 2, height - 1) * width;
        float *restrict sum = row + 1;
        for (int x = 0; x < width; x++)
            sum[x] = (a[x] + d[x] + 3.0f * (b[x] + c[x])) * (1.0f / 64.0f);
        sum[-1] = sum[0];
        sum[width] = sum[width + 1] = sum[width - 1];
        float *restrict out = half_plane + (size_t)y * up(width);
        for (int x = 0; x < up(width); x++)
            out[x] = sum[2 * x - 1] + sum[2 * x + 2] + 3.0f * (sum[2 * x] + sum[2 * x + 1]);
    }
}

/* Rows of the halves of several planes. */
static int halve_planes(const float *planes, int num, int height, int width, float *halves, int first, int last) {
    float *row = malloc(sizeof(float) * ((size_t)width + 4));
    if (!row)
        return 1;
    for (int c = 0; c < num; c++)
        halve(planes + (size_t)c * height * width, height, width, halves + (size_t)c * up(height) * up(width), first,
              last, row);
    free(row);
    return 0;
}

/* The same of two pictures of one size. */
static int halve_both(const float *one, const float *other, int num, int height, int width, float *one_half,
                      float *other_half, int first, int last) {
    return halve_planes(one, num, height, width, one_half, first, last) ||
           halve_planes(other, num, height, width, other_half, first, last);
}

/* Nine neighbours' average twice: row y of a plane; `row` has two floats more on either side. */
INLINE void tent(const float *plane, int height, int width, int y, float *row, float *restrict out) {
    const float *r[5];
    for (int i = 0; i < 5; i++)
        r[i] = plane + (size_t)within(y + i - 2, height - 1) * width;
    float *restrict sum = row + 2;
    for (int x = 0; x < width; x++)
        sum[x] = (r[0][x] + r[4][x] + 2.0f * (r[1][x] + r[3][x]) + 3.0f * r[2][x]) * (1.0f / 81.0f);
    sum[-2] = sum[-1] = sum[0];
    sum[width] = sum[width + 1] = sum[width - 1];
    for (int x = 0; x < width; x++)
        out[x] = sum[x - 2] + sum[x + 2] + 2.0f * (sum[x - 1] + sum[x + 1]) + 3.0f * sum[x];
}

/* A row of packed pixels from three planes, and back. */
INLINE void pack(const float *red, const float *green, const float *blue, int width, float *restrict packed) {
    int x = 0;
    for (; x + 4 <= width; x += 4) {
        v4 r = four(red + x), g = four(green + x), b = four(blue + x);
        v4 low = SHUFFLE(r, g, 0, 4, 1, 5), high = SHUFFLE(r, g, 2, 6, 3, 7);
        *(v4u *)(packed + 3 * x) = SHUFFLE(low, b, 0, 1, 4, 2);
        *(v4u *)(packed + 3 * x + 4) = SHUFFLE(SHUFFLE(low, b, 3, 5, 3, 5), high, 0, 1, 4, 5);
        *(v4u *)(packed + 3 * x + 8) = SHUFFLE(high, b, 6, 2, 3, 7);
    }
    for (; x < width; x++)
        packed[3 * x] = red[x], packed[3 * x + 1] = green[x], packed[3 * x + 2] = blue[x];
}
INLINE void unpack(const float *packed, int width, float *restrict red, float *restrict green, float *restrict blue) {
    int x = 0;
    for (; x + 4 <= width; x += 4) {
        v4 a = four(packed + 3 * x), b = four(packed + 3 * x + 4), c = four(packed + 3 * x + 8);
        *(v4u *)(red + x) = SHUFFLE(SHUFFLE(a, b, 0, 3, 6, 6), c, 0, 1, 2, 5);
        *(v4u *)(green + x) = SHUFFLE(SHUFFLE(a, b, 1, 4, 7, 7), c, 0, 1, 2, 6);
        *(v4u *)(blue + x) = SHUFFLE(SHUFFLE(a, b, 2, 5, 5, 5), c, 0, 1, 4, 7);
    }
    for (; x < width; x++)
        red[x] = packed[3 * x], green[x] = packed[3 * x + 1], blue[x] = packed[3 * x + 2];
}

INLINE void unpack_four(const float *packed, int width, float *restrict red, float *restrict green,
                        float *restrict blue) {
    int x = 0;
    for (; x + 4 <= width; x += 4) {
        v4 a = four(packed + 4 * x), b = four(packed + 4 * x + 4), c = four(packed + 4 * x + 8),
           d = four(packed + 4 * x + 12);
        v4 ab = SHUFFLE(a, b, 0, 4, 1, 5), cd = SHUFFLE(c, d, 0, 4, 1, 5);
        *(v4u *)(red + x) = SHUFFLE(ab, cd, 0, 1, 4, 5);
        *(v4u *)(green + x) = SHUFFLE(ab, cd, 2, 3, 6, 7);
        *(v4u *)(blue + x) = SHUFFLE(SHUFFLE(a, b, 2, 6, 2, 6), SHUFFLE(c, d, 2, 6, 2, 6), 0, 1, 4, 5);
    }
    for (; x < width; x++)
        red[x] = packed[4 * x], green[x] = packed[4 * x + 1], blue[x] = packed[4 * x + 2];
}
