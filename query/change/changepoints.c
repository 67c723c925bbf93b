/*
 * changepoints.c - generic change points (changepoints.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/change/changepoints.h"

#include <math.h>
#include <stdlib.h>

#include "query/change/noise.h"
#include "query/change/season.h"
#include "query/change/segment_int.h"

enum { SEGMENTS_MAX = 26, LENGTH_MIN = 5, LOOK_AHEAD = 3 };

struct picture { /* the series as it is cut: blocks of `width` points */
    double *y, *w;
    size_t n, width;
    double resolution; /* squared */
};

struct choice {            /* the best segmentation into some number of segments */
    double cost, variance; /* long-run, of the residuals */
};

static double range_of(const double *y, const double *w, size_t n)
{
    double lo = INFINITY, hi = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        lo = w[i] > 0 && y[i] < lo ? y[i] : lo;
        hi = w[i] > 0 && y[i] > hi ? y[i] : hi;
    }
    return hi > lo ? hi - lo : 0;
}

static void blocks(const double *y, const double *w, size_t n, size_t most, struct picture *p)
{
    p->width = (n + most - 1) / most;
    p->n = (n + p->width - 1) / p->width;
    p->y = lq_alloc((p->n + 1) * sizeof *p->y);
    p->w = lq_alloc((p->n + 1) * sizeof *p->w);
    for (size_t i = 0; i < n; i++) {
        p->w[i / p->width] += w[i];
        p->y[i / p->width] += w[i] > 0 ? y[i] : 0;
    }
    for (size_t b = 0; b < p->n; b++) {
        p->y[b] = p->w[b] > 0 ? p->y[b] / p->w[b] : 0;
        p->w[b] /= (double)p->width;
    }
}

/* Least squares of points [from, to): level and slope at `from`; slope 0 for a level. */
struct line {
    double at, slope, middle;
};

static struct line line_of(const struct moments *m, const double *y, const double *w, size_t from, size_t to,
                           double price)
{
    double level, line = segment__rss(&m[from], &m[to], &level), sw = 0, st = 0, sy = 0, tt = 0, ty = 0;
    for (size_t i = from; i < to; i++) {
        sw += w[i];
        st += w[i] * (double)i;
        sy += w[i] > 0 ? w[i] * y[i] : 0;
    }
    struct line l = {sw > 0 ? sy / sw : 0, 0, sw > 0 ? st / sw : 0};
    if (line + price < level) {
        for (size_t i = from; i < to; i++) {
            double t = (double)i - l.middle;
            tt += w[i] * t * t;
            ty += w[i] > 0 ? w[i] * t * (y[i] - l.at) : 0;
        }
        l.slope = tt > 0 ? ty / tt : 0;
    }
    return l;
}

/* Long-run variance of the residuals around these segments, by an AR(1). */
static double residual_variance(const struct picture *p, const struct moments *m, const uint32_t *starts, size_t k,
                                double price)
{
    double r0 = 0, r1 = 0, prev = 0, used = 0;
    for (size_t j = 0; j < k; j++) {
        size_t to = j + 1 < k ? starts[j + 1] : p->n;
        struct line l = line_of(m, p->y, p->w, starts[j], to, price);
        for (size_t i = starts[j]; i < to; i++) {
            if (p->w[i] > 0) {
                double r = (p->y[i] - l.at - l.slope * ((double)i - l.middle)) * sqrt(p->w[i]);
                r1 += used > 0 ? r * prev : 0;
                r0 += r * r;
                prev = r;
                used++;
            }
        }
    }
    double rho = r0 > 0 ? r1 / r0 : 0;
    rho += (1 + 3 * rho) / used * (double)k; /* each segment fits some of the correlation away */
    rho = rho < 0 ? 0 : rho > 0.95 ? 0.95 : rho;
    double df = used - 2 * (double)k;
    return r0 / (df > 1 ? df : 1) * (1 + rho) / (1 - rho);
}

/* How many segments: one to LOOK_AHEAD more (a pulse takes two cuts) as long as each is worth its price. */
static size_t how_many(const struct choice *c, size_t n_choices, double price, double resolution)
{
    size_t k = 0;
    for (size_t ahead = 1; ahead <= LOOK_AHEAD && k + ahead < n_choices; ahead++) {
        if (c[k].cost - c[k + ahead].cost > (double)ahead * price * (c[k + ahead].variance + resolution)) {
            k += ahead;
            ahead = 0;
        }
    }
    return k;
}

/* Cuts of blocks become cuts of points: the place within two blocks around that leaves least. */
static void refine(const double *y, const double *w, size_t n, size_t width, uint32_t *cuts, size_t k)
{
    struct moments *m = segment__moments(y, w, n);
    for (size_t i = 0; i < k && width > 1; i++) {
        size_t from = i > 0 ? cuts[i - 1] : 0, to = i + 1 < k ? cuts[i + 1] * width : n, at = cuts[i] * width;
        size_t lo = at > from + 3 * width ? at - 2 * width : from + width,
               hi = at + 2 * width < to ? at + 2 * width : to - 1;
        double best = INFINITY, level;
        cuts[i] = (uint32_t)at;
        for (size_t t = lo; t <= hi; t++) {
            double c = segment__rss(&m[from], &m[t], &level) + segment__rss(&m[t], &m[to], &level);
            if (c < best) {
                best = c;
                cuts[i] = (uint32_t)t;
            }
        }
    }
    for (size_t i = 0; i < k; i++) {
        while (cuts[i] + 1 < n && !(w[cuts[i]] > 0)) { /* a gap belongs to what came before it */
            cuts[i]++;
        }
    }
    free(m);
}

static size_t cut(const struct picture *p, double spread, const struct changepoints_setting *s, uint32_t *out)
{
    double used = 0, cost[SEGMENTS_MAX];
    struct choice choices[SEGMENTS_MAX];
    for (size_t i = 0; i < p->n; i++) {
        used += p->w[i] > 0;
    }
    double log_n = log(used > 2 ? used : 2);
    struct segment_input in = {.model = SEGMENT_LINE, .n = p->n, .y = p->y, .w = p->w, .length_min = LENGTH_MIN};
    in.penalty = s->slope_price * log_n * (p->resolution + spread * spread);
    if (p->n < 3 * LENGTH_MIN) {
        in.length_min = p->n / 3 > 2 ? p->n / 3 : 2;
    }
    uint32_t *starts = lq_alloc(SEGMENTS_MAX * SEGMENTS_MAX * sizeof *starts);
    struct moments *m = segment__moments(p->y, p->w, p->n);
    size_t found = segment_each(&in, SEGMENTS_MAX, cost, starts), k = 0;
    for (size_t j = 0; j < found; j++) {
        choices[j] = (struct choice){cost[j], residual_variance(p, m, starts + j * SEGMENTS_MAX, j + 1, in.penalty)};
    }
    if (found > 0) {
        k = how_many(choices, found, s->cut_price * log_n, p->resolution);
        for (size_t i = 0; i < k; i++) {
            out[i] = starts[k * SEGMENTS_MAX + i + 1];
        }
    }
    free(m);
    free(starts);
    return k;
}

size_t changepoints_with(const double *y, size_t n, const struct changepoints_setting *s, uint32_t *out)
{
    double *v = lq_alloc((n + 1) * sizeof *v), *w = lq_alloc((n + 1) * sizeof *w);
    struct season season;
    struct picture p;
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        w[i] = isfinite(y[i]) && fabs(y[i]) < 1e150 ? 1 : 0;
        v[i] = w[i] > 0 ? y[i] : 0;
    }
    if (s->season && season_find(v, w, n, &season)) {
        season_remove(&season, v, n);
        season_fini(&season);
    }
    noise_outliers(v, w, n);
    double range = range_of(y, w, n); /* as it is seen, with its season */
    if (range > 0) {
        blocks(v, w, n, s->blocks, &p);
        p.resolution = s->resolution * range * s->resolution * range;
        k = cut(&p, noise_spread(p.y, p.w, p.n), s, out);
        refine(v, w, n, p.width, out, k);
        free(p.y);
        free(p.w);
    }
    free(v);
    free(w);
    return k;
}

size_t changepoints(const double *y, size_t n, uint32_t *out)
{
    return changepoints_with(y, n, &changepoints_default, out);
}
