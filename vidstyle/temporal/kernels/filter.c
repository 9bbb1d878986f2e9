/* The temporal filter of filter.py for one frame on a CPU, in passes over rows instead of whole pictures.
 *
 * Step by step the same as there, where every formula is explained; what it saves is memory traffic, for most of those
 * steps do a handful of operations a pixel. Positions are exact here, and thirty-seconds of a pixel in OpenCV.
 *
 * Every pass takes rows [first, last) of its own grid, reads what earlier passes wrote and writes rows of its own, so
 * that threads may share one. It returns 0, or 1 where memory is short. Pictures are floats in [0, 1]: "packed" ones
 * (height, width, 3), as OpenCV and convolutions like them, others one plane a channel. Grids: the frame (H, W), its
 * half and quarter with sides rounded up, that of flow, and cells of CELL pixels.
 */

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "blend.h"
#include "energy.h"
#include "motion.h"
#include "trust.h"

#define API __attribute__((visibility("default")))

/* The passes in their order: on which grid, what one thread finds out before, and whether only for an older frame. The
 * first stands for what is before all of them. */
enum { FULL, HALF, QUARTER, FLOW, CELLS };
static const struct {
    int (*run)(const Work *, int first, int last);
    int grid;
    void (*prepare)(Work *);
    int is_for_older;
} passes[] = {
    {0},
    {take, HALF},
    {move_grey, FULL},
    {halve_grey, HALF},
    {quarter_grey, QUARTER},
    {multiply, HALF},
    {solve, HALF},
    {warp, FULL},
    {check_flow, FLOW},
    {soften, FLOW},
    {warp_older, HALF, NULL, 1},
    {trust_older, HALF, find_older_noise, 1},
    {weigh, CELLS, find_noise},
    {blend, FULL, find_lag},
    {halve_images, HALF},
    {quarter_images, QUARTER},
    {add_energies, QUARTER},
    {find_gains, QUARTER},
    {correct_middle, HALF},
    {finish, FULL},
};
enum { NUM_PASSES = sizeof passes / sizeof passes[0], PIECES_A_THREAD = 4 };

static int rows_of(const Frame *f, int grid) {
    switch (grid) {
    case FULL:
        return f->height;
    case HALF:
        return up(f->height);
    case QUARTER:
        return up(up(f->height));
    case FLOW:
        return f->flow_height;
    default:
        return cells_in(f->height);
    }
}

static int pieces_of(const Frame *f) { return f->num_threads > 1 ? PIECES_A_THREAD * f->num_threads : 1; }

/* Take pieces of the pass that goes on, until there are no more. */
static void take_part(Frame *f) {
    int num = pieces_of(f);
    int64_t ticket = atomic_load(&f->ticket);
    while (1) {
        int pass = (int)(ticket >> 32), piece = (int)(ticket & 0xffffffff);
        if (pass == 0 || pass == NUM_PASSES || piece >= num)
            return;
        if (!atomic_compare_exchange_weak(&f->ticket, &ticket, ticket + 1))
            continue;
        int rows = rows_of(f, passes[pass].grid);
        if (passes[pass].run(f->work, rows * piece / num, rows * (piece + 1) / num))
            atomic_store(&f->failed, 1);
        atomic_fetch_add(&f->done, 1);
        ticket = atomic_load(&f->ticket);
    }
}

static void run(Frame *f, int pass) {
    atomic_store(&f->done, 0);
    atomic_store(&f->ticket, (int64_t)pass << 32);
    take_part(f);
    while (atomic_load(&f->done) < pieces_of(f))
        sched_yield();
}

/* Help whoever filters a frame, until ``stop``; may come late, or not at all. */
API void help(Frame *f) {
    while (atomic_load(&f->ticket) >> 32 != NUM_PASSES) {
        take_part(f);
        sched_yield();
    }
}

/* All of a frame is done, or given up. */
API void stop(Frame *f) { atomic_store(&f->ticket, (int64_t)NUM_PASSES << 32); }

/* The sources this was compiled from: their sha256, in order of their names. */
API const char *digest(void) { return DIGEST; }
/* And how, for the next build to find here. */
API const char *stamp(void) { return STAMP; }

/* One frame. Returns 0, or 1 where memory is short. */
API int steady(Frame *f) {
    size_t full = (size_t)f->height * f->width, halves = (size_t)up(f->height) * up(f->width);
    size_t quarters = (size_t)up(up(f->height)) * up(up(f->width)), flow = (size_t)f->flow_height * f->flow_width;
    size_t cells = (size_t)cells_in(f->height) * cells_in(f->width);
    Work w = {.frame = f};
    struct {
        float **plane;
        size_t num;
    } planes[] = {
        {&w.moved, 3 * full},
        {&w.painted, 3 * full},
        {&w.flow, 2 * full},
        {&w.difference, full},
        {&w.half_now, 9 * halves},
        {&w.small_float, 3 * halves},
        {&w.older_trust, f->flow_older ? halves : 0},
        {&w.quarter_now, quarters},
        {&w.quarter_moved, quarters},
        {&w.occluded, flow},
        {&w.validity, flow},
        {&w.cells, 7 * cells},
        {&w.lag, 3 * cells},
        {&w.quarter_blended, 3 * quarters},
        {&w.quarter_painted, 3 * quarters},
        {&w.energy, 4 * quarters},
        {&w.gain, 2 * quarters},
    };
    int num = sizeof planes / sizeof planes[0];
    int has_room = 1;
    /* One by one: the heap keeps pieces of this size for the next frame, and larger ones come and go page by page. */
    for (int i = 0; i < num; i++) {
        *planes[i].plane = malloc(sizeof(float) * planes[i].num);
        has_room &= *planes[i].plane || !planes[i].num;
    }
    if (has_room) {
        w.half_moved = w.half_now + halves, w.products = w.half_now + 2 * halves, w.step = w.half_now + 7 * halves;
        /* What is used up makes room for what comes later. */
        w.grey_now = w.painted, w.grey_before = w.painted + full, w.grey_moved = w.painted + 2 * full;
        w.share = w.flow;
        w.half_blended = w.half_now, w.half_painted = w.half_now + 3 * halves, w.correction = w.half_now + 6 * halves;
        f->work = &w;
        for (int pass = 1; pass < NUM_PASSES && !atomic_load(&f->failed); pass++) {
            if (passes[pass].is_for_older && !f->flow_older)
                continue;
            if (passes[pass].prepare)
                passes[pass].prepare(&w);
            run(f, pass);
        }
    }
    for (int i = 0; i < num; i++)
        free(*planes[i].plane);
    return !has_room || atomic_load(&f->failed) || w.noise < 0.0f || w.older_noise < 0.0f;
}
