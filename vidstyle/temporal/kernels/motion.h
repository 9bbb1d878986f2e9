/* Passes that sharpen motion: ``refine_flow`` of refinement.py. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "rows.h"

INLINE void grey_of(const float *red, const float *green, const float *blue, int width, float *restrict grey) {
    for (int x = 0; x < width; x++)
        grey[x] = (red[x] + green[x] + blue[x]) * (1.0f / 3.0f);
}

/* Rows of the half grid: content packed, its grey and that of the frame before, its means over 2x2 pixels. */
static int take(const Work *w, int first, int last) {
    const Frame *f = w->frame;
    int width = f->width, half_width = up(width);
    float *scratch = malloc(sizeof(float) * (6 * (size_t)width + 3));
    if (!scratch)
        return 1;
    float *red = scratch, *green = red + width, *blue = green + width, *sums = blue + width;
    for (int j = first; j < last; j++) {
        for (int y = 2 * j; y < least(2 * j + 2, f->height); y++) {
            const float *in = f->content + (size_t)y * width * f->content_pixel;
            float *packed = f->kept_content + 3 * (size_t)y * width;
            float *now = w->grey_now + (size_t)y * width, *then = w->grey_before + (size_t)y * width;
            unpack(f->previous + 3 * (size_t)y * width, width, red, green, blue);
            grey_of(red, green, blue, width, then);
            if (f->content_pixel == 1) {
                const float *r = in, *g = in + f->content_channel, *b = g + f->content_channel;
                pack(r, g, b, width, packed);
                grey_of(r, g, b, width, now);
            } else {
                memcpy(packed, in, 3 * sizeof(float) * (size_t)width);
                unpack(packed, width, red, green, blue);
                grey_of(red, green, blue, width, now);
            }
        }
        const float *restrict upper = f->kept_content + 6 * (size_t)j * width;
        const float *restrict lower = f->kept_content + 3 * (size_t)least(2 * j + 1, f->height - 1) * width;
        for (int x = 0; x < 3 * width; x++)
            sums[x] = (upper[x] + lower[x]) * 0.25f;
        for (int c = 0; c < 3; c++)
            sums[3 * width + c] = sums[3 * width - 3 + c];
        float *restrict out = w->small_float + 3 * (size_t)j * half_width;
        half *restrict kept = f->small + 3 * (size_t)j * half_width;
        for (int i = 0; i < half_width; i++)
            for (int c = 0; c < 3; c++)
                out[3 * i + c] = sums[6 * i + c] + sums[6 * i + 3 + c];
        for (int i = 0; i < 3 * half_width; i++)
            kept[i] = (half)out[i];
    }
    free(scratch);
    return 0;
}

/* Rows of the frame: flow enlarged, and the grey of the frame before moved along it. */
static int move_grey(const Work *w, int first, int last) {
    const Frame *f = w->frame;
    int width = f->width, height = f->height;
    float *scratch = malloc(sizeof(float) * axis_floats(f->flow_width, width)), *rest = scratch;
    if (!scratch)
        return 1;
    Axis a = axis(f->flow_width, width, &rest);
    for (int y = first; y < last; y++) {
        float *dx = w->flow + (size_t)y * width, *dy = dx + (size_t)height * width;
        enlarged_flow(f->flow_backward, f->flow_height, height, y, 0, &a, dx);
        enlarged_flow(f->flow_backward, f->flow_height, height, y, 1, &a, dy);
        float *restrict out = w->grey_moved + (size_t)y * width;
        const float *restrict grey = w->grey_before;
        VECTORIZE
        for (int x = 0; x < width; x++) {
            float px = clamp((float)x + dx[x], 0.0f, (float)(width - 1)),
                  py = clamp((float)y + dy[x], 0.0f, (float)(height - 1));
            int i = (int)px, j = (int)py, right = i + 1 < width, below = j + 1 < height ? width : 0;
            float u = px - (float)i, v = py - (float)j;
            int at = j * width + i;
            float top = grey[at] + u * (grey[at + right] - grey[at]);
            float bottom = grey[at + below] + u * (grey[at + below + right] - grey[at + below]);
            out[x] = top + v * (bottom - top);
        }
    }
    free(scratch);
    return 0;
}

/* Rows of the half grid, then of the quarter grid. */
static int halve_grey(const Work *w, int first, int last) {
    const Frame *f = w->frame;
    return halve_both(w->grey_now, w->grey_moved, 1, f->height, f->width, w->half_now, w->half_moved, first, last);
}
static int quarter_grey(const Work *w, int first, int last) {
    return halve_both(w->half_now, w->half_moved, 1, up(w->frame->height), up(w->frame->width), w->quarter_now,
                      w->quarter_moved, first, last);
}

/* Without the local mean: the sum of both greys, and their difference; row y of the frame, repeated beyond it. */
INLINE void without_mean(const Work *w, int y, const Axis *a, float *low, float *restrict sum, float *restrict change) {
    const Frame *f = w->frame;
    int width = f->width, quarter = up(up(f->height));
    y = within(y, f->height - 1);
    const float *restrict now = w->grey_now + (size_t)y * width, *restrict then = w->grey_moved + (size_t)y * width;
    enlarged(w->quarter_now, quarter, f->height, y, a, low);
    enlarged(w->quarter_moved, quarter, f->height, y, a, low + width);
    for (int x = 0; x < width; x++) {
        float n = now[x] - low[x], t = then[x] - low[width + x];
        sum[x] = n + t;
        change[x] = n - t;
    }
}

/* Rows of the half grid: products of the gradients and of what changed, over 2x2 pixels. */
static int multiply(const Work *w, int first, int last) {
    const Frame *f = w->frame;
    int width = f->width, height = f->height, half_width = up(width), quarter_width = up(half_width);
    size_t plane = (size_t)up(height) * half_width, stride = (size_t)width + 4;
    float *scratch = malloc(sizeof(float) * (axis_floats(quarter_width, width) + 2 * (size_t)width + 13 * stride)),
          *rest = scratch;
    if (!scratch)
        return 1;
    Axis a = axis(quarter_width, width, &rest);
    float *low = rest, *rows = low + 2 * (size_t)width, *products = rows + 8 * stride;
    /* Four rows around the two of a cell, in turn. */
    for (int y = 2 * first - 1; y < 2 * first + 1; y++)
        without_mean(w, y, &a, low, rows + (y & 3) * stride, rows + (4 + (y & 3)) * stride);
    for (int j = first; j < last; j++) {
        for (int y = 2 * j + 1; y < 2 * j + 3; y++)
            without_mean(w, y, &a, low, rows + (y & 3) * stride, rows + (4 + (y & 3)) * stride);
        for (int y = 2 * j; y < 2 * j + 2; y++) {
            int row = least(y, height - 1); /* the last row repeats where there are odd many */
            const float *restrict above = rows + ((row - 1) & 3) * stride, *restrict here = rows + (row & 3) * stride;
            const float *restrict under = rows + ((row + 1) & 3) * stride, *restrict change =
                                                                               rows + (4 + (row & 3)) * stride;
            float inside = row > 0 && row < height - 1 ? 1.0f : 0.0f;
            float *restrict xx = products, *restrict xy = xx + stride, *restrict yy = xy + stride,
                            *restrict xt = yy + stride, *restrict yt = xt + stride;
            for (int x = 1; x < width - 1; x++) {
                float gx = here[x + 1] - here[x - 1], gy = inside * (under[x] - above[x]), t = change[x];
                xx[x] = gx * gx, xy[x] = gx * gy, yy[x] = gy * gy, xt[x] = gx * t, yt[x] = gy * t;
            }
            for (int side = 0; side < 2; side++) { /* where nothing is known along x */
                int x = side ? width - 1 : 0;
                float gy = inside * (under[x] - above[x]);
                xx[x] = xy[x] = xt[x] = 0.0f, yy[x] = gy * gy, yt[x] = gy * change[x];
            }
            for (int k = 0; k < 5; k++) {
                float *restrict p = products + k * stride, *restrict out =
                                                               w->products + k * plane + (size_t)j * half_width;
                p[width] = p[width - 1];
                if (y == 2 * j)
                    for (int i = 0; i < half_width; i++)
                        out[i] = (p[2 * i] + p[2 * i + 1]) * 0.25f;
                else
                    for (int i = 0; i < half_width; i++)
                        out[i] += (p[2 * i] + p[2 * i + 1]) * 0.25f;
            }
        }
    }
    free(scratch);
    return 0;
}

/* Rows of the half grid: the step of Lucas and Kanade. */
static int solve(const Work *w, int first, int last) {
    const Frame *f = w->frame;
    int height = up(f->height), width = up(f->width);
    size_t plane = (size_t)height * width;
    float *scratch = malloc(sizeof(float) * 6 * ((size_t)width + 4));
    if (!scratch)
        return 1;
    float *row = scratch + 5 * (size_t)width;
    for (int y = first; y < last; y++) {
        for (int k = 0; k < 5; k++)
            tent(w->products + k * plane, height, width, y, row, scratch + k * (size_t)width);
        const float *restrict xx = scratch, *restrict xy = xx + width, *restrict yy = xy + width,
                              *restrict xt = yy + width, *restrict yt = xt + width;
        float *restrict dx = w->step + (size_t)y * width, *restrict dy = dx + plane;
        for (int x = 0; x < width; x++) {
            float a = xx[x] + f->gradient_floor, c = yy[x] + f->gradient_floor, b = xy[x];
            float scale = 4.0f / (a * c - b * b);
            dx[x] = clamp((c * xt[x] - b * yt[x]) * scale, -f->max_step, f->max_step);
            dy[x] = clamp((a * yt[x] - b * xt[x]) * scale, -f->max_step, f->max_step);
        }
    }
    free(scratch);
    return 0;
}
