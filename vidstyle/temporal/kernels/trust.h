/* Passes that move the past here, and find how far to trust it. */
#pragma once

#include <stdlib.h>

#include "rows.h"
#include "sampling.h"

/* Rows of the frame: what is remembered moved, and how far the source moved differs from this frame. */
static int warp(const Work *w, int first, int last) {
    const Frame *f = w->frame;
    int width = f->width, height = f->height, half_width = up(width), half_height = up(height);
    size_t plane = (size_t)height * width, half_plane = (size_t)half_height * half_width;
    float *scratch = malloc(sizeof(float) * (axis_floats(half_width, width) + 21 * (size_t)width)), *rest = scratch;
    if (!scratch)
        return 1;
    Axis a = axis(half_width, width, &rest);
    float *px = rest, *py = px + width, *kept = py + width, *before = kept + 4 * (size_t)width, *u[4], *v[4];
    for (int k = 0; k < 4; k++)
        u[k] = before + (4 + k) * (size_t)width, v[k] = u[k] + 4 * (size_t)width;
    float *right = v[3] + width, *below = right + width;
    int *at = (int *)(below + width);
    for (int y = first; y < last; y++) {
        const float *restrict dx = w->flow + (size_t)y * width, *restrict dy = dx + plane;
        enlarged(w->step, half_height, height, y, &a, px);
        enlarged(w->step + half_plane, half_height, height, y, &a, py);
        for (int x = 0; x < width; x++) {
            px[x] = (float)x + (px[x] + dx[x]);
            py[x] = (float)y + (py[x] + dy[x]);
        }
        /* Weights first, many pixels at once. */
        VECTORIZE
        for (int x = 0; x < width; x++) {
            float at_x = clamp(px[x], -3.0f, (float)(width + 2)), at_y = clamp(py[x], -3.0f, (float)(height + 2));
            float left = floorf(at_x), top = floorf(at_y), s = at_x - left, t = at_y - top;
            int i = (int)left - 1, j = (int)top - 1;
            at[x] = ((i >= 0) & (j >= 0) & (i + 4 <= width) & (j + 4 <= height)) ? j * width + i : -1;
            u[0][x] = outer(s, 1.0f - s), u[1][x] = inner(s), u[2][x] = inner(1.0f - s), u[3][x] = outer(1.0f - s, s);
            v[0][x] = outer(t, 1.0f - t), v[1][x] = inner(t), v[2][x] = inner(1.0f - t), v[3][x] = outer(1.0f - t, t);
            right[x] = s, below[x] = t;
        }
        for (int x = 0; x < width; x++) {
            if (at[x] < 0) {
                *(v4u *)(kept + 4 * x) = sample(f->remembered, height, width, px[x], py[x]);
                *(v4u *)(before + 4 * x) = bilinear(f->previous, height, width, px[x], py[x]);
                continue;
            }
            v4 along_x = {u[0][x], u[1][x], u[2][x], u[3][x]}, along_y = {v[0][x], v[1][x], v[2][x], v[3][x]};
            *(v4u *)(kept + 4 * x) = bicubic(f->remembered + 3 * (size_t)at[x], width, along_x, along_y);
            const float *upper = f->previous + 3 * ((size_t)at[x] + width + 1), *lower = upper + 3 * (size_t)width;
            v4 top = four(upper) + splat(right[x]) * (four(upper + 3) - four(upper));
            v4 bottom = four(lower) + splat(right[x]) * (four(lower + 3) - four(lower));
            *(v4u *)(before + 4 * x) = top + splat(below[x]) * (bottom - top);
        }
        float *red = w->moved + (size_t)y * width;
        unpack_four(kept, width, red, red + plane, red + 2 * plane);
        for (int c = 0; c < 3; c++)
            for (int x = 0; x < width; x++)
                red[c * plane + x] = clamp(red[c * plane + x], 0.0f, 1.0f);
        unpack_four(before, width, px, py, kept);
        const float *now = f->content + (size_t)y * width * f->content_pixel, *now_red = now, *now_green = u[0],
                    *now_blue = u[1];
        if (f->content_pixel == 1) {
            now_green = now + f->content_channel, now_blue = now_green + f->content_channel;
        } else {
            now_red = v[0];
            unpack(now, width, v[0], u[0], u[1]);
        }
        float *restrict out = w->difference + (size_t)y * width;
        VECTORIZE
        for (int x = 0; x < width; x++) {
            float r = px[x] - now_red[x], g = py[x] - now_green[x], b = kept[x] - now_blue[x];
            out[x] = (r * r + g * g + b * b) * (1.0f / 3.0f);
        }
    }
    free(scratch);
    return 0;
}

/* Rows of the grid of flow: whether forward flow leads back, within the frame. */
static int check_flow(const Work *w, int first, int last) {
    const Frame *f = w->frame;
    int width = f->flow_width, height = f->flow_height;
    float cells_x = (float)width / (float)f->width, cells_y = (float)height / (float)f->height;
    for (int y = first; y < last; y++) {
        const float *restrict flow = f->flow_backward + 2 * (size_t)y * width;
        const float *restrict forward = f->flow_forward;
        float *restrict out = w->occluded + (size_t)y * width;
        VECTORIZE
        for (int x = 0; x < width; x++) {
            float fx = flow[2 * x], fy = flow[2 * x + 1], dx = fx * cells_x, dy = fy * cells_y;
            float to_x = (float)x + dx, to_y = (float)y + dy;
            float px = clamp(to_x, 0.0f, (float)(width - 1)), py = clamp(to_y, 0.0f, (float)(height - 1));
            int i = (int)px, j = (int)py, right = i + 1 < width ? 2 : 0, below = j + 1 < height ? 2 * width : 0;
            float u = px - (float)i, v = py - (float)j;
            int at = 2 * (j * width + i);
            float top = forward[at] + u * (forward[at + right] - forward[at]);
            float bottom = forward[at + below] + u * (forward[at + below + right] - forward[at + below]);
            float rx = top + v * (bottom - top);
            at++;
            top = forward[at] + u * (forward[at + right] - forward[at]);
            bottom = forward[at + below] + u * (forward[at + below + right] - forward[at + below]);
            float ry = top + v * (bottom - top);
            float excess = 0.98f * (fx * fx + fy * fy + rx * rx + ry * ry) + 2.0f * (fx * rx + fy * ry);
            int inside = to_x >= -0.5f && to_x <= (float)width - 0.5f && to_y >= -0.5f && to_y <= (float)height - 0.5f;
            out[x] = excess < 4.0f && inside ? 0.0f : 1.0f;
        }
    }
    return 0;
}

/* Rows of the grid of flow: soft edges within what is trusted. */
static int soften(const Work *w, int first, int last) {
    const Frame *f = w->frame;
    int width = f->flow_width, height = f->flow_height, num = last - first + 4;
    float *scratch = malloc(sizeof(float) * ((size_t)num * width + 2 * (size_t)width + 8));
    if (!scratch)
        return 1;
    float *row = scratch + (size_t)num * width, *most = row + width + 5;
    for (int k = 0; k < num; k++) { /* eroded, two rows more on either side */
        int y = within(first + k - 2, height - 1);
        const float *above = w->occluded + (size_t)within(y - 1, height - 1) * width;
        const float *here = w->occluded + (size_t)y * width,
                    *under = w->occluded + (size_t)least(y + 1, height - 1) * width;
        for (int x = 0; x < width; x++) {
            float two = above[x] > under[x] ? above[x] : under[x];
            most[x] = two > here[x] ? two : here[x];
        }
        most[-1] = most[0];
        most[width] = most[width - 1];
        float *restrict out = scratch + (size_t)k * width;
        for (int x = 0; x < width; x++) {
            float two = most[x - 1] > most[x + 1] ? most[x - 1] : most[x + 1];
            out[x] = 1.0f - (two > most[x] ? two : most[x]);
        }
    }
    for (int y = first; y < last; y++) {
        float *restrict out = w->validity + (size_t)y * width;
        const float *restrict occluded = w->occluded + (size_t)y * width;
        tent(scratch, num, width, y - first + 2, row, out);
        for (int x = 0; x < width; x++)
            out[x] *= 1.0f - occluded[x];
    }
    free(scratch);
    return 0;
}

/* Rows of the half grid: how far the older source frame, moved here, differs; by -1 - that beyond its border. */
static int warp_older(const Work *w, int first, int last) {
    const Frame *f = w->frame;
    int width = up(f->width), height = up(f->height);
    float *scratch = malloc(sizeof(float) * (axis_floats(f->older_width, width) + 2 * (size_t)width)), *rest = scratch;
    if (!scratch)
        return 1;
    Axis a = axis(f->older_width, width, &rest);
    float *dx = rest, *dy = dx + width;
    for (int y = first; y < last; y++) {
        enlarged_flow(f->flow_older, f->older_height, height, y, 0, &a, dx);
        enlarged_flow(f->flow_older, f->older_height, height, y, 1, &a, dy);
        const float *now = w->small_float + 3 * (size_t)y * width;
        float *out = w->older_trust + (size_t)y * width;
        for (int x = 0; x < width; x++) {
            float px = (float)x + 0.5f * dx[x], py = (float)y + 0.5f * dy[x];
            v4 d = bilinear_half(f->past_content, height, width, px, py) - three(now + 3 * x);
            d *= d;
            out[x] = (d[0] + d[1] + d[2]) * (1.0f / 3.0f);
            /* The noise is found in what is inside and outside alike, as OpenCV repeats the border. */
            if (!(px >= -0.5f && px <= (float)width - 0.5f && py >= -0.5f && py <= (float)height - 0.5f))
                out[x] = -1.0f - out[x];
        }
    }
    free(scratch);
    return 0;
}

/* Rows of the half grid: trust by looks alone. */
static int trust_older(const Work *w, int first, int last) {
    const Frame *f = w->frame;
    int width = up(f->width);
    for (int y = first; y < last; y++) {
        float *restrict row = w->older_trust + (size_t)y * width;
        for (int x = 0; x < width; x++) {
            row[x] = row[x] < 0.0f ? 0.0f : trust_in(row[x], w->older_noise, f->photometric_weight);
        }
    }
    return 0;
}

/* Four times the median of every `stride`th difference along both sides. A minus sign is not part of a difference. */
static float noise_in(const float *plane, int height, int width, int stride) {
    int across = (width + stride - 1) / stride, num = across * ((height + stride - 1) / stride);
    float *values = malloc(sizeof(float) * (size_t)num);
    if (!values)
        return -1.0f;
    for (int i = 0; i < num; i++) {
        float value = plane[(size_t)(i / across * stride) * width + i % across * stride];
        values[i] = value < 0.0f ? -1.0f - value : value;
    }
    int low = 0, high = num - 1, middle = high / 2;
    while (low < high) { /* Hoare's selection */
        float pivot = values[middle];
        int i = low, j = high;
        while (i <= j) {
            while (values[i] < pivot)
                i++;
            while (pivot < values[j])
                j--;
            if (i <= j) {
                float value = values[i];
                values[i++] = values[j], values[j--] = value;
            }
        }
        if (j < middle)
            low = i;
        if (middle < i)
            high = j;
    }
    float median = values[middle];
    free(values);
    return 4.0f * median;
}

static void find_noise(Work *w) { w->noise = noise_in(w->difference, w->frame->height, w->frame->width, 8); }

/* Of the older frame, where nothing but looks tells wrong from right. */
static void find_older_noise(Work *w) {
    const Frame *f = w->frame;
    float noise = noise_in(w->older_trust, up(f->height), up(f->width), 8);
    w->older_noise = noise < f->most_noise ? noise : f->most_noise;
}
