/* Passes that fill gaps and blend: ``_fill`` of filter.py and ``consistent_blend`` of consistency.py. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "rows.h"
#include "sampling.h"

/* Row y: where trust is missing and `share` of the frame has an older frame's, that one takes its place, as far as both
 * together are trusted; share becomes what is taken. `at` has room for two rows. */
INLINE void fill_gaps(const Work *w, int y, const Axis *a, float *restrict trust, float *restrict at) {
    const Frame *f = w->frame;
    int width = f->width, height = f->height, num = 0;
    float *restrict share = w->share + (size_t)y * width;
    for (int x = 0; x < width; x++) {
        share[x] *= 1.0f - trust[x];
        share[x] = share[x] > f->least_share ? share[x] : 0.0f;
        num += share[x] > 0.0f;
    }
    if (!num)
        return;
    enlarged_flow(f->flow_older, f->older_height, height, y, 0, a, at);
    enlarged_flow(f->flow_older, f->older_height, height, y, 1, a, at + width);
    for (int x = 0; x < width; x++) {
        if (share[x] == 0.0f)
            continue;
        v4 found = sample_half(f->past_remembered, height, width, (float)x + at[x], (float)y + at[width + x]);
        float trusted = trust[x] + share[x], part = share[x] / trusted;
        trust[x] = trusted;
        for (int c = 0; c < 3; c++) {
            float *moved = w->moved + ((size_t)c * height + y) * width + x;
            *moved += part * (clamp(found[c], 0.0f, 1.0f) - *moved);
        }
    }
}

/* Rows of cells: trust, gaps filled, the difference of the moved past to the painting in place of it, and means of
 * difference, painting and trust. */
static int weigh(const Work *w, int first, int last) {
    const Frame *f = w->frame;
    int width = f->width, height = f->height, half_width = up(width), half_height = up(height);
    int across = cells_in(width), padded = across * CELL;
    size_t plane = (size_t)height * width, cell_plane = (size_t)cells_in(height) * across;
    size_t floats = axis_floats(f->flow_width, width) + axis_floats(half_width, width) + 8 * (size_t)padded;
    if (f->flow_older)
        floats += axis_floats(f->older_width, width) + 2 * (size_t)width;
    float *scratch = malloc(sizeof(float) * floats), *rest = scratch;
    if (!scratch)
        return 1;
    Axis of_flow = axis(f->flow_width, width, &rest), of_half = axis(half_width, width, &rest), of_older = of_half;
    float *trust = rest, *sums = trust + padded, *older = sums + 7 * (size_t)padded;
    if (f->flow_older)
        of_older = axis(f->older_width, width, &older);
    for (int cell = first; cell < last; cell++) {
        for (size_t x = 0; x < 7 * (size_t)padded; x++)
            sums[x] = 0.0f;
        int end = least(CELL * (cell + 1), height);
        for (int y = CELL * cell; y < end; y++) {
            const float *restrict difference = w->difference + (size_t)y * width;
            enlarged(w->validity, f->flow_height, height, y, &of_flow, trust);
            for (int x = 0; x < width; x++) {
                trust[x] *= trust_in(difference[x], w->noise, f->photometric_weight);
            }
            if (f->flow_older) {
                enlarged(w->older_trust, half_height, height, y, &of_half, w->share + (size_t)y * width);
                fill_gaps(w, y, &of_older, trust, older);
            }
            const float *in = f->stylized + (size_t)y * width * f->stylized_pixel;
            float *painted = w->painted + (size_t)y * width;
            if (f->stylized_pixel == 1)
                for (int c = 0; c < 3; c++)
                    memcpy(painted + c * plane, in + c * f->stylized_channel, sizeof(float) * (size_t)width);
            else
                unpack(in, width, painted, painted + plane, painted + 2 * plane);
            /* The last row stands for those that a cell lacks. */
            float weight = (1.0f + (float)(y == height - 1 ? CELL * (cell + 1) - height : 0)) / (CELL * CELL);
            for (int c = 0; c < 3; c++) {
                float *restrict moved = w->moved + c * plane + (size_t)y * width;
                float *restrict alone = painted + c * plane;
                float *restrict apart_sum = sums + c * (size_t)padded;
                float *restrict alone_sum = sums + (3 + c) * (size_t)padded;
                for (int x = 0; x < width; x++) {
                    float apart = trust[x] * (moved[x] - alone[x]);
                    moved[x] = apart;
                    apart_sum[x] += weight * apart;
                    alone_sum[x] += weight * alone[x];
                }
            }
            float *restrict trust_sum = sums + 6 * (size_t)padded;
            for (int x = 0; x < width; x++)
                trust_sum[x] += weight * trust[x];
        }
        for (int k = 0; k < 7; k++) {
            float *restrict sum = sums + k * (size_t)padded;
            float *restrict out = w->cells + k * cell_plane + (size_t)cell * across;
            for (int x = width; x < padded; x++)
                sum[x] = sum[width - 1];
            for (int i = 0; i < across; i++) {
                const float *s = sum + CELL * i;
                out[i] = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
            }
        }
    }
    free(scratch);
    return 0;
}

/* Rows of the frame: blended, in place of the difference. */
static int blend(const Work *w, int first, int last) {
    const Frame *f = w->frame;
    int width = f->width, height = f->height, across = cells_in(width), down = cells_in(height);
    size_t plane = (size_t)height * width, cell_plane = (size_t)down * across;
    float *scratch = malloc(sizeof(float) * (axis_floats(across, width) + (size_t)width)), *rest = scratch;
    if (!scratch)
        return 1;
    Axis a = axis(across, width, &rest);
    float *restrict low = rest;
    for (int c = 0; c < 3; c++)
        for (int y = first; y < last; y++) {
            float *restrict moved = w->moved + c * plane + (size_t)y * width;
            const float *restrict painted = w->painted + c * plane + (size_t)y * width;
            enlarged(w->lag + c * cell_plane, down, height, y, &a, low);
            for (int x = 0; x < width; x++)
                moved[x] = painted[x] + f->beta * moved[x] + low[x];
        }
    free(scratch);
    return 0;
}

/* How far colour is held back: ``consistent_blend`` and ``_within_palette`` of consistency.py. */
static void find_lag(Work *w) {
    const Frame *f = w->frame;
    int num = cells_in(f->height) * cells_in(f->width);
    const float *trusted = w->cells + 6 * (size_t)num;
    double area = 0.0, squares = 0.0;
    for (int i = 0; i < num; i++)
        area += trusted[i];
    for (int c = 0; c < 3; c++) {
        const float *cells = w->cells + c * (size_t)num, *own = cells + 3 * (size_t)num;
        float *lag = w->lag + c * (size_t)num;
        double sum = 0.0, own_sum = 0.0, both_sum = 0.0, own_squares = 0.0, both_squares = 0.0;
        for (int i = 0; i < num; i++)
            sum += f->low_beta * cells[i];
        double excess = (1.0 - f->mean_share) * sum / (area > 1e-6 ? area : 1e-6);
        for (int i = 0; i < num; i++) {
            lag[i] = f->low_beta * cells[i] - trusted[i] * (float)excess;
            own_sum += own[i], both_sum += own[i] + lag[i];
        }
        double own_mean = own_sum / num, mean = both_sum / num;
        for (int i = 0; i < num; i++) {
            double apart = own[i] - own_mean, both = own[i] + lag[i] - mean;
            own_squares += apart * apart, both_squares += both * both;
        }
        double ratio = (sqrt(own_squares / num) + 1e-6) / (sqrt(both_squares / num) + 1e-6);
        float gain = sqrtf(clamp((float)ratio, f->least_deviation_gain, f->most_deviation_gain)) - 1.0f;
        for (int i = 0; i < num; i++) {
            lag[i] += trusted[i] * gain * (own[i] + lag[i] - (float)mean);
            squares += (double)lag[i] * lag[i];
        }
    }
    double drift = sqrt(squares / (3 * num));
    float within_limit = clamp(f->max_drift / (float)(drift > 1e-6 ? drift : 1e-6), 0.0f, 1.0f);
    for (int i = 0; i < 3 * num; i++)
        w->lag[i] = within_limit * w->lag[i] - f->beta * w->cells[i];
}
