/* What Python and the passes hand each other. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

enum { CELL = 8 };
typedef _Float16 half;

/* What Python gives and gets; the fields are those of ``_Frame`` in ../fused.py, in its order. */
typedef struct {
    /* Packed pictures, but for content and stylized, whose strides are below; flow is (h, w, 2). */
    const float *content, *stylized, *previous, *remembered, *flow_backward, *flow_forward, *flow_older;
    const half *past_content, *past_remembered;
    /* Wanted: packed. */
    float *kept_content, *output, *new_remembered;
    half *small, *kept;
    int64_t content_channel, content_pixel, stylized_channel, stylized_pixel; /* strides in floats */
    int32_t height, width, flow_height, flow_width, older_height, older_width, num_threads;
    float beta, low_beta, mean_share, max_drift, least_deviation_gain, most_deviation_gain;
    float photometric_weight, most_noise, least_share, gradient_floor, max_step, energy_floor, least_gain, most_gain;
    /* How threads share a pass: its number and the next piece of it to be taken, and how many pieces are done. */
    _Atomic int64_t ticket, done;
    _Atomic int32_t failed;
    struct Work *work;
} Frame;

/* What lies between passes: planes of the frame, of its half and quarter, of the grid of flow, of cells. */
typedef struct Work {
    Frame *frame;
    float *moved, *painted;                     /* three channels */
    float *grey_now, *grey_before, *grey_moved; /* lie in `painted`, which is written later */
    float *flow, *difference, *share;
    float *half_now, *half_moved, *quarter_now, *quarter_moved, *products, *step, *small_float, *older_trust;
    float *occluded, *validity;
    float *cells, *lag; /* cells: 3 of the difference, 3 of the painting, 1 of trust; lag: 3 */
    float *half_blended, *half_painted, *quarter_blended, *quarter_painted, *energy, *gain, *correction;
    float noise, older_noise;
} Work;
