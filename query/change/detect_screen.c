/*
 * detect_screen.c - is anything there at all? (detect.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "query/change/detect.h"
#include "query/change/noise.h"

enum { BLOCKS = 256 };
/* Squared standard scores. A step that change_best would call p < 0.01 has 12; a window somewhere among two thousand
 * has 16 by chance once in thirty series; a single jump between neighbours, of n, has 64 only in tails heavier than any
 * normal. */
#define SPLIT_MAX  9.0
#define WINDOW_MAX 16.0
#define JUMP_MAX   64.0

struct screen {
    double y[BLOCKS + 1], w[BLOCKS + 1]; /* running sums */
    size_t n;
    double jumps, jump_max; /* squares of differences of neighbours */
};

static void gather(const struct detect_input *in, struct screen *s)
{
    size_t width = (in->n + BLOCKS - 1) / BLOCKS, seen = 0;
    double prev = 0;
    s->n = 0;
    s->y[0] = s->w[0] = s->jumps = s->jump_max = 0;
    for (size_t from = 0; from < in->n; from += width) {
        size_t to = from + width < in->n ? from + width : in->n;
        double y = 0, w = 0, jumps = 0, most = 0;
        for (size_t i = from; i < to; i++) {
            if (in->w[i] > 0 && isfinite(in->y[i])) {
                double v = in->kind == DETECT_VALUE ? in->y[i] : in->y[i] / in->w[i],
                       d = seen++ > 0 ? (v - prev) * (v - prev) : 0;
                y += in->kind == DETECT_VALUE ? in->w[i] * in->y[i] : in->y[i];
                w += in->w[i];
                jumps += d;
                most = d > most ? d : most;
                prev = v;
            }
        }
        s->jumps += jumps;
        s->jump_max = most > s->jump_max ? most : s->jump_max;
        s->y[s->n + 1] = s->y[s->n] + y;
        s->w[s->n + 1] = s->w[s->n] + w;
        s->n++;
    }
}

/* Variance of one unit of weight: from the differences of neighbouring blocks, which a step hardly touches. */
static double unit_variance(const struct detect_input *in, const struct screen *s)
{
    double d[BLOCKS];
    size_t k = 0;
    for (size_t b = 2; b <= s->n; b++) {
        double w1 = s->w[b] - s->w[b - 1], w0 = s->w[b - 1] - s->w[b - 2];
        if (w1 > 0 && w0 > 0) {
            double x = ((s->y[b] - s->y[b - 1]) / w1 - (s->y[b - 1] - s->y[b - 2]) / w0);
            d[k++] = x * x / (1 / w1 + 1 / w0);
        }
    }
    double v = noise_median(d, k) / 0.4549, p = s->w[s->n] > 0 ? s->y[s->n] / s->w[s->n] : 0;
    double least = in->kind == DETECT_VALUE ? 0 : in->kind == DETECT_COUNT ? p : p * (1 - p);
    return v > least ? v : least;
}

static double score(const struct screen *s, size_t a, size_t b, size_t c)
{
    double w0 = s->w[b] - s->w[a], w1 = s->w[c] - s->w[b];
    if (!(w0 > 0 && w1 > 0)) {
        return 0;
    }
    double d = (s->y[b] - s->y[a]) / w0 - (s->y[c] - s->y[b]) / w1;
    return d * d * (w0 * w1 / (w0 + w1));
}

bool detect_quiet(const struct detect_input *in)
{
    struct screen s;
    if (in->n < 12) {
        return true;
    }
    gather(in, &s);
    double v = unit_variance(in, &s);
    if (in->kind == DETECT_VALUE && s.jump_max * (double)in->n > JUMP_MAX * s.jumps) {
        return false;
    }
    for (size_t b = 1; b < s.n; b++) {
        if (score(&s, 0, b, s.n) > SPLIT_MAX * v) {
            return false;
        }
    }
    for (size_t l = 1; 2 * l <= s.n;
         l *= 2) { /* pulses: a window beside a window, at each scale, in quarters of a window */
        for (size_t b = l; b + l <= s.n; b += l > 4 ? l / 4 : 1) {
            if (score(&s, b - l, b, b + l) > WINDOW_MAX * v) {
                return false;
            }
        }
    }
    return true;
}
