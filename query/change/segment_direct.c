/*
 * segment_direct.c - exact segmentation by optimal partitioning with inequality pruning (segment.h)
 *
 * F(t) = min over s of F(s) + cost(s, t) + penalty. A start s with F(s) + cost(s, t) > F(t) can never be best again,
 * because two segments never cost more than one. Costs come from running sums in O(1) (lines) or O(bins).
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/segment_int.h"
#include "schema/base/buf.h"

struct running {
    const struct segment_input *in;
    struct moments *m; /* LINE */
    double *below;     /* DISTRIBUTION: (n + 1) rows of counts up to and with each bin */
};

static void running_init(struct running *r, const struct segment_input *in)
{
    *r = (struct running){.in = in};
    if (in->model == SEGMENT_DISTRIBUTION) {
        size_t k = in->n_bins;
        r->below = lq_alloc((in->n + 1) * k * sizeof *r->below + 1);
        for (size_t i = 0; i < in->n; i++) {
            double sum = 0;
            for (size_t b = 0; b < k; b++) {
                sum += in->bins[i * k + b];
                r->below[(i + 1) * k + b] = r->below[i * k + b] + sum;
            }
        }
        return;
    }
    r->m = segment__moments(in->y, in->w, in->n);
}

struct moments *segment__moments(const double *y, const double *w, size_t n)
{
    double mean = 0, weight = 0;
    for (size_t i = 0; i < n; i++) {
        weight += w[i];
        mean += w[i] > 0 ? w[i] * y[i] : 0;
    }
    mean = weight > 0 ? mean / weight : 0;
    struct moments *m = lq_alloc((n + 1) * sizeof *m);
    for (size_t i = 0; i < n; i++) {
        double v = w[i] > 0 ? y[i] - mean : 0, t = (double)i - (double)n / 2;
        const struct moments *a = &m[i];
        m[i + 1] = (struct moments){a->w + w[i],     a->y + w[i] * v,      a->yy + w[i] * v * v,
                                    a->t + w[i] * t, a->tt + w[i] * t * t, a->ty + w[i] * t * v};
    }
    return m;
}

double segment__rss(const struct moments *a, const struct moments *b, double *level)
{
    double w = b->w - a->w, y = b->y - a->y, x = b->t - a->t;
    *level = 0;
    if (!(w > 0)) {
        return 0;
    }
    double tt = b->tt - a->tt - x * x / w, ty = b->ty - a->ty - x * y / w, yy = b->yy - a->yy - y * y / w;
    double rss = tt > 1e-9 * w ? yy - ty * ty / tt : yy;
    *level = yy > 0 ? yy : 0;
    return rss > 0 ? rss : 0;
}

static double cost(const struct running *r, size_t s, size_t t)
{
    if (r->m != NULL) {
        double level;
        return segment__rss(&r->m[s], &r->m[t], &level);
    }
    size_t k = r->in->n_bins;
    const double *a = r->below + s * k, *b = r->below + t * k;
    double all = b[k - 1] - a[k - 1], sum = 0;
    if (!(all > 0)) {
        return 0;
    }
    double log_all = log(all);
    for (size_t i = 0; i + 1 < k; i++) {
        double x = b[i] - a[i], y = all - x;
        sum -= (x > 0 ? x * (log(x) - log_all) : 0) + (y > 0 ? y * (log(y) - log_all) : 0);
    }
    return k > 1 ? 2 * sum / (double)(k - 1) : 0;
}

double segment__direct(const struct segment_input *in, uint32_t *last)
{
    size_t n = in->n, least = in->length_min > 0 ? in->length_min : 1, n_alive = 0;
    struct running r;
    double *f = lq_alloc((n + 1) * sizeof *f), *c = lq_alloc((n + 1) * sizeof *c);
    uint32_t *alive = lq_alloc((n + 1) * sizeof *alive), *dies = lq_alloc((n + 1) * sizeof *dies);
    running_init(&r, in);
    f[0] = -in->penalty;
    for (size_t t = 1; t <= n; t++) {
        if (t >= least && (t == least || t - least >= least)) {
            dies[n_alive] = UINT32_MAX;
            alive[n_alive++] = (uint32_t)(t - least);
        }
        f[t] = INFINITY;
        for (size_t i = 0; i < n_alive; i++) {
            c[i] = f[alive[i]] + cost(&r, alive[i], t);
            if (c[i] + in->penalty < f[t]) {
                f[t] = c[i] + in->penalty;
                last[t] = alive[i];
            }
        }
        if (n_alive == 0) { /* shorter than the shortest segment */
            f[t] = cost(&r, 0, t);
            last[t] = 0;
        }
        size_t kept = 0;
        for (size_t i = 0; i < n_alive; i++) {
            if (c[i] > f[t] && dies[i] == UINT32_MAX &&
                (t >= 2 * least || t == least)) { /* t may start a segment of its own once that is long enough */
                dies[i] = (uint32_t)(t + least - 1);
            }
            if (t < dies[i]) {
                dies[kept] = dies[i];
                alive[kept++] = alive[i];
            }
        }
        n_alive = kept;
    }
    double total = f[n];
    free(f);
    free(c);
    free(alive);
    free(dies);
    free(r.m);
    free(r.below);
    return total;
}
