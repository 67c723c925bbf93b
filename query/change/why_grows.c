/*
 * why_grows.c - a message that came new and then more and more: does it grow, and is a later part of its growth still the same one?
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "query/change/ramp.h"
#include "query/change/why_rank.h"

enum { GROWTH_BLOCKS = 24, GROWTH_BLOCKS_MIN = 5, GROWTH_MIN = 8, TURN_STEPS_MIN = 12 };
#define RARE    1e-3 /* of the requests: counts, not shares of them */
#define GROWS_Z 2.0  /* standard deviations of the slope: from here on it counts, whole at twice as many and more */

static const struct grid_series *series_of(const struct why *y, const struct finding *f)
{
    const struct grid_stream *st = &y->far.streams[f->stream];
    for (uint32_t i = 0; i < st->n_series; i++) {
        if (st->series[i].dim == f->dim && st->series[i].value == f->value) {
            return &st->series[i];
        }
    }
    return NULL;
}

/* What leads to a slow rise goes on within it; what fails is the rise itself. */
static int64_t until_us(const struct why *y, const struct finding *f)
{
    const struct incident *x = why__incident(y);
    bool within = why__slow(y) && !f->failing;
    return within ? x->time_us + (x->top_us - x->time_us) / 2 : f->failing ? x->low_us : x->time_us;
}

static uint32_t until(const struct why *y, const struct finding *f)
{
    return grid_step(&y->far, until_us(y, f));
}

/* Sums of n steps from `from` in blocks of `width`: of the value, and of the requests that it is measured by. */
static uint32_t sums(const struct why *y, const struct finding *f, uint32_t from, uint32_t n, uint32_t width, double *s,
                     double *w)
{
    const struct grid_series *x = series_of(y, f);
    const struct grid_series *whole = y->target_stream != NO_DIM ? &y->far.streams[y->target_stream].total : NULL;
    uint32_t blocks = n / width;
    for (uint32_t b = 0; b < blocks; b++) {
        s[b] = w[b] = 0;
        for (uint32_t t = from + b * width; t < from + (b + 1) * width; t++) {
            s[b] += x != NULL ? (double)x->count[t] : 0;
            w[b] += (whole != NULL ? (double)whole->count[t] : 1) / RARE;
        }
    }
    return blocks;
}

/* Standard deviations of the slope of s per w, by a score test with the spread that is left. */
static double slope_z(const double *s, const double *w, uint32_t n)
{
    double all = 0, whole = 0, x = 0, xx = 0, sx = 0, chi = 0;
    for (uint32_t b = 0; b < n; b++) {
        all += s[b];
        whole += w[b];
        x += w[b] * b;
        xx += w[b] * b * b;
        sx += s[b] * b;
    }
    x /= whole > 0 ? whole : 1;
    double spread = whole > 0 ? xx / whole - x * x : 0, over = sx - all * x;
    if (all < GROWTH_MIN || spread <= 0 || over <= 0) {
        return 0;
    }
    double slope = over / (spread * all);
    for (uint32_t b = 0; b < n; b++) {
        double due = all * w[b] / whole * fmax(1 + slope * (b - x), 0.1);
        chi += due > 0 ? (s[b] - due) * (s[b] - due) / due : 0;
    }
    double noise = chi / (n - 2);
    return over / sqrt(all * spread * (noise > 1 ? noise : 1));
}

double why__grows(const struct why *y, const struct finding *f)
{
    double s[GROWTH_BLOCKS], w[GROWTH_BLOCKS], one[GROWTH_BLOCKS];
    uint32_t from = grid_step(&y->far, f->time_us), to = until(y, f), n = to > from ? to - from : 0,
             width = (n + GROWTH_BLOCKS - 1) / GROWTH_BLOCKS;
    if (!f->message || n < GROWTH_BLOCKS_MIN) {
        return 0;
    }
    uint32_t blocks = sums(y, f, to - n / width * width, n, width, s, w);
    for (uint32_t b = 0; b < blocks; b++) {
        one[b] = 1;
    }
    double z = fmin(slope_z(s, w, blocks), slope_z(s, one, blocks)); /* messages may follow the requests, or a clock */
    z = (z - GROWS_Z) / GROWS_Z;
    return z < 0 ? 0 : z > 1 ? 1 : z;
}

bool why__goes_on(const struct why *y, const struct finding *f)
{
    double s[3], w[3];
    uint32_t from = grid_step(&y->far, f->time_us), to = until(y, f), n = to > from ? (to - from) / 3 * 3 : 0;
    return n > 0 && sums(y, f, to - n, n, n / 3, s, w) == 3 && s[2] >= (s[0] + s[1] + s[2]) / 6;
}

int64_t why__unseen(const struct why *y, const struct finding *f)
{
    double since = (double)(until_us(y, f) - f->time_us) / 1e6;
    bool warns = f->message && !f->failing && why__complains(y, f->stream, f->value) > 0;
    return warns && since > 0 && why__grows(y, f) > 0.5 ? (int64_t)(sqrt(WHY_WAITS * since / f->after) * 1e6) : 0;
}

bool why__same_course(const struct why *y, const struct finding *f, int64_t since_us, int64_t at_us)
{
    double s[RAMP_STEPS_MAX], w[RAMP_STEPS_MAX];
    int64_t from = grid_step(&y->far, since_us), at = grid_step(&y->far, at_us), to = until(y, f),
            side = at - from < to - at ? at - from : to - at;
    int64_t width = side > 0 ? (side + RAMP_STEPS_MAX / 2 - 1) / (RAMP_STEPS_MAX / 2) : 1;
    if (side / width < TURN_STEPS_MIN) {
        return false; /* too little to tell */
    }
    side = side / width * width;
    uint32_t n = sums(y, f, (uint32_t)(at - side), (uint32_t)(2 * side), (uint32_t)width, s, w);
    return ramp_turn(s, w, n, (uint32_t)(side / width)) <= 0;
}
