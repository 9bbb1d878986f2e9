/* Passes that restore texture: ``match_band_energy`` of filter.py; the last writes what is wanted. */
#pragma once

#include <stdlib.h>

#include "rows.h"

/* Rows of the half grid, then of the quarter grid. */
static int halve_images(const Work *w, int first, int last) {
    const Frame *f = w->frame;
    return halve_both(w->moved, w->painted, 3, f->height, f->width, w->half_blended, w->half_painted, first, last);
}
static int quarter_images(const Work *w, int first, int last) {
    return halve_both(w->half_blended, w->half_painted, 3, up(w->frame->height), up(w->frame->width),
                      w->quarter_blended, w->quarter_painted, first, last);
}

/* Squares of one Laplacian band added up over the rows of a cell; `low` is the next coarser picture. */
INLINE void add_squares(const float *image, const float *low, int height, int cell, int j, const Axis *a, float *row,
                        float *restrict sum) {
    int width = a->to;
    for (int y = cell * j; y < least(cell * (j + 1), height); y++) {
        const float *restrict from = image + (size_t)y * width;
        float weight = (1.0f + (float)(y == height - 1 ? cell * (j + 1) - height : 0)) / (float)(3 * cell * cell);
        enlarged(low, up(height), height, y, a, row);
        for (int x = 0; x < width; x++)
            sum[x] += weight * (from[x] - row[x]) * (from[x] - row[x]);
    }
}

/* Sums over `cell` pixels along x; the last column stands for those that a cell lacks. */
INLINE void add_across(float *sum, int width, int cell, int across, float *restrict out) {
    for (int x = width; x < cell * across; x++)
        sum[x] = sum[width - 1];
    for (int i = 0; i < across; i++)
        out[i] =
            cell == 2 ? sum[2 * i] + sum[2 * i + 1] : sum[4 * i] + sum[4 * i + 1] + sum[4 * i + 2] + sum[4 * i + 3];
}

/* Rows of the quarter grid: energies of the fine and the middle band, blended and painted. */
static int add_energies(const Work *w, int first, int last) {
    const Frame *f = w->frame;
    int width = f->width, height = f->height, half_width = up(width), half_height = up(height);
    int across = up(half_width), down = up(half_height);
    size_t plane = (size_t)height * width, half_plane = (size_t)half_height * half_width,
           quarter_plane = (size_t)down * across;
    size_t stride = 4 * (size_t)across;
    float *scratch =
              malloc(sizeof(float) * (axis_floats(half_width, width) + axis_floats(across, half_width) + 5 * stride)),
          *rest = scratch;
    if (!scratch)
        return 1;
    Axis fine = axis(half_width, width, &rest), middle = axis(across, half_width, &rest);
    float *row = rest, *sums = row + stride;
    for (int j = first; j < last; j++) {
        for (size_t x = 0; x < 4 * stride; x++)
            sums[x] = 0.0f;
        for (int c = 0; c < 3; c++) {
            const float *blended = w->half_blended + c * half_plane, *painted = w->half_painted + c * half_plane;
            add_squares(w->moved + c * plane, blended, height, 4, j, &fine, row, sums);
            add_squares(w->painted + c * plane, painted, height, 4, j, &fine, row, sums + stride);
            add_squares(blended, w->quarter_blended + c * quarter_plane, half_height, 2, j, &middle, row,
                        sums + 2 * stride);
            add_squares(painted, w->quarter_painted + c * quarter_plane, half_height, 2, j, &middle, row,
                        sums + 3 * stride);
        }
        float *out = w->energy + (size_t)j * across;
        for (int k = 0; k < 2; k++) {
            add_across(sums + k * stride, width, 4, across, out + k * quarter_plane);
            add_across(sums + (2 + k) * stride, half_width, 2, across, out + (2 + k) * quarter_plane);
        }
    }
    free(scratch);
    return 0;
}

/* Rows of the quarter grid: the gains of both bands, less 1. */
static int find_gains(const Work *w, int first, int last) {
    const Frame *f = w->frame;
    int width = up(up(f->width)), height = up(up(f->height));
    size_t plane = (size_t)height * width;
    float *scratch = malloc(sizeof(float) * (3 * (size_t)width + 4));
    if (!scratch)
        return 1;
    float *restrict found = scratch, *restrict wanted = found + width, *row = wanted + width;
    for (int k = 0; k < 2; k++)
        for (int y = first; y < last; y++) {
            tent(w->energy + 2 * k * plane, height, width, y, row, found);
            tent(w->energy + (2 * k + 1) * plane, height, width, y, row, wanted);
            float *restrict out = w->gain + k * plane + (size_t)y * width;
            for (int x = 0; x < width; x++)
                out[x] = clamp(sqrtf((wanted[x] + f->energy_floor) / (found[x] + f->energy_floor)), f->least_gain,
                               f->most_gain) -
                         1.0f;
        }
    free(scratch);
    return 0;
}

/* Rows of the half grid: what the middle band lacks. */
static int correct_middle(const Work *w, int first, int last) {
    const Frame *f = w->frame;
    int width = up(f->width), height = up(f->height), across = up(width), down = up(height);
    size_t plane = (size_t)height * width, quarter_plane = (size_t)down * across;
    float *scratch = malloc(sizeof(float) * (axis_floats(across, width) + 2 * (size_t)width)), *rest = scratch;
    if (!scratch)
        return 1;
    Axis a = axis(across, width, &rest);
    float *restrict gain = rest, *restrict low = gain + width;
    for (int y = first; y < last; y++) {
        enlarged(w->gain + quarter_plane, down, height, y, &a, gain);
        for (int c = 0; c < 3; c++) {
            const float *restrict from = w->half_blended + c * plane + (size_t)y * width;
            float *restrict out = w->correction + c * plane + (size_t)y * width;
            enlarged(w->quarter_blended + c * quarter_plane, down, height, y, &a, low);
            for (int x = 0; x < width; x++)
                out[x] = gain[x] * (from[x] - low[x]);
        }
    }
    free(scratch);
    return 0;
}

/* Rows of the frame: what is shown, what is remembered, and what is kept for when something comes back. */
static int finish(const Work *w, int first, int last) {
    const Frame *f = w->frame;
    int width = f->width, height = f->height, half_width = up(width), half_height = up(height);
    int across = up(half_width), down = up(half_height);
    size_t plane = (size_t)height * width, half_plane = (size_t)half_height * half_width;
    float *scratch = malloc(sizeof(float) *
                            (axis_floats(half_width, width) + axis_floats(across, width) + 10 * (size_t)width)),
          *rest = scratch;
    if (!scratch)
        return 1;
    Axis of_half = axis(half_width, width, &rest), of_quarter = axis(across, width, &rest);
    float *restrict gain = rest, *restrict low = gain + width, *restrict more = low + width, *rows = more + width;
    for (int y = first; y < last; y++) {
        enlarged(w->gain, down, height, y, &of_quarter, gain);
        const float *restrict share = w->share + (size_t)y * width;
        for (int c = 0; c < 3; c++) {
            const float *restrict blended = w->moved + c * plane + (size_t)y * width;
            float *restrict shown = rows + c * (size_t)width, *restrict remembered = rows + (3 + c) * (size_t)width;
            enlarged(w->half_blended + c * half_plane, half_height, height, y, &of_half, low);
            enlarged(w->correction + c * half_plane, half_height, height, y, &of_half, more);
            for (int x = 0; x < width; x++) {
                shown[x] = clamp(blended[x] + gain[x] * (blended[x] - low[x]) + more[x], 0.0f, 1.0f);
                remembered[x] = 0.5f * (blended[x] + shown[x]);
            }
        }
        float *restrict out = f->output + 3 * (size_t)y * width, *restrict next =
                                                                     f->new_remembered + 3 * (size_t)y * width;
        pack(rows, rows + width, rows + 2 * (size_t)width, width, out);
        pack(rows + 3 * (size_t)width, rows + 4 * (size_t)width, rows + 5 * (size_t)width, width, next);
        half *restrict kept = f->kept + 3 * (size_t)y * width;
        for (int x = 0; x < 3 * width; x++)
            kept[x] = (half)next[x];
        if (!f->flow_older)
            continue;
        const float *painted = w->painted + (size_t)y * width;
        for (int x = 0; x < width; x++)
            if (share[x] > 0.0f)
                for (int c = 0; c < 3; c++)
                    kept[3 * x + c] = (half)(next[3 * x + c] + share[x] * (painted[c * plane + x] - next[3 * x + c]));
    }
    free(scratch);
    return 0;
}
