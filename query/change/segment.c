/*
 * segment.c - the door to the two engines, and the plain cost of one segment (segment.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/change/segment.h"

#include <math.h>
#include <stdlib.h>

#include "query/change/segment_int.h"
#include "schema/base/buf.h"

static double xlogx_over(double x, double total)
{
    return x > 0 ? x * log(x / total) : 0;
}

static double line_cost(const struct segment_input *in, size_t from, size_t to)
{
    double w = 0, mt = 0, my = 0, tt = 0, ty = 0, yy = 0;
    for (size_t i = from; i < to; i++) {
        w += in->w[i];
        mt += in->w[i] * (double)i;
        my += in->w[i] > 0 ? in->w[i] * in->y[i] : 0;
    }
    if (!(w > 0)) {
        return 0;
    }
    mt /= w;
    my /= w;
    for (size_t i = from; i < to; i++) {
        if (in->w[i] > 0) {
            double t = (double)i - mt, v = in->y[i] - my;
            tt += in->w[i] * t * t;
            ty += in->w[i] * t * v;
            yy += in->w[i] * v * v;
        }
    }
    bool level = in->model != SEGMENT_LINE || !(tt > 0);
    double rss = level ? yy : yy - ty * ty / tt;
    return rss > 0 ? rss : 0;
}

static double distribution_cost(const struct segment_input *in, size_t from, size_t to)
{
    double *seen = lq_alloc((in->n_bins + 1) * sizeof *seen), all = 0, below = 0, cost = 0;
    for (size_t i = from; i < to; i++) {
        for (size_t b = 0; b < in->n_bins; b++) {
            seen[b] += in->bins[i * in->n_bins + b];
            all += in->bins[i * in->n_bins + b];
        }
    }
    for (size_t b = 0; b + 1 < in->n_bins; b++) {
        below += seen[b];
        cost -= 2 * (xlogx_over(below, all) + xlogx_over(all - below, all));
    }
    free(seen);
    return in->n_bins > 1 ? cost / (double)(in->n_bins - 1) : 0;
}

static double robust_cost(const struct segment_input *in, size_t from, size_t to)
{
    struct segment_input part = *in;
    part.y += from;
    part.w += from;
    part.n = to - from;
    part.penalty = INFINITY;
    uint32_t *last = lq_alloc((part.n + 1) * sizeof *last);
    double cost = segment__functional(&part, last);
    free(last);
    return cost;
}

double segment_cost(const struct segment_input *in, size_t from, size_t to)
{
    double s = 0, t = 0;
    switch (in->model) {
    case SEGMENT_LEVEL:
    case SEGMENT_LINE:
        return line_cost(in, from, to);
    case SEGMENT_ROBUST:
        return robust_cost(in, from, to);
    case SEGMENT_DISTRIBUTION:
        return distribution_cost(in, from, to);
    case SEGMENT_COUNT:
    case SEGMENT_OVERCOUNT:
    case SEGMENT_SHARE:
        break;
    }
    for (size_t i = from; i < to; i++) {
        s += in->w[i] > 0 ? in->y[i] : 0;
        t += in->w[i];
    }
    if (in->model == SEGMENT_COUNT) {
        return s > 0 ? 2 * (s - s * log(s / t)) : 0;
    }
    double whole = in->model == SEGMENT_SHARE ? t : s + t;
    return -2 * (xlogx_over(s, whole) + xlogx_over(whole - s, whole));
}

size_t segment(const struct segment_input *in, uint32_t *starts, double *total)
{
    bool direct = in->model == SEGMENT_LINE || in->model == SEGMENT_DISTRIBUTION;
    size_t k = 0;
    if (in->n == 0) {
        return 0;
    }
    uint32_t *last = lq_alloc((in->n + 1) * sizeof *last);
    double cost = direct ? segment__direct(in, last) : segment__functional(in, last);
    for (size_t i = in->n; i > 0; i = last[i]) {
        starts[k++] = last[i];
    }
    for (size_t i = 0; i < k / 2; i++) {
        uint32_t x = starts[i];
        starts[i] = starts[k - 1 - i];
        starts[k - 1 - i] = x;
    }
    for (size_t i = 1; i < k && in->model != SEGMENT_DISTRIBUTION; i++) {
        while (starts[i] + 1 < in->n && !(in->w[starts[i]] > 0)) { /* a gap belongs to what came before it */
            starts[i]++;
        }
    }
    free(last);
    if (total != NULL) {
        *total = cost;
    }
    return k;
}
