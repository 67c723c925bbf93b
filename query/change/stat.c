/*
 * stat.c - segmentation, single changes, contrasts (stat.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/change/stat.h"

#include <math.h>

#include "query/change/segment.h"
#include "schema/base/buf.h"

#include <stdlib.h>

enum { POINTS_MIN = 12 };

size_t binomial_segment(const double *s, const double *t, size_t n, double dispersion, uint32_t *starts)
{
    /* three parameters a segment: place, level, and being looked for */
    struct segment_input in = {
        .model = SEGMENT_SHARE, .n = n, .y = s, .w = t, .penalty = 6 * dispersion * log((double)n + 1)};
    return segment(&in, starts, NULL);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double binomial_dispersion(const double *s, const double *t, size_t n)
{
    enum { HALF = 6 };
    double *z = lq_alloc((n + 1) * sizeof *z);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        double ls = 0, lt = 0; /* the neighbours, without the point itself */
        for (size_t j = i > HALF ? i - HALF : 0; j < n && j <= i + HALF; j++) {
            ls += j != i ? s[j] : 0;
            lt += j != i ? t[j] : 0;
        }
        double p = lt > 0 ? (ls + 0.5) / (lt + 1) : 0;
        double var = t[i] * p * (1 - p) * (1 + t[i] / (lt > 0 ? lt : 1));
        if (var > 0.2) {
            z[k++] = (s[i] - t[i] * p) * (s[i] - t[i] * p) / var;
        }
    }
    double d = 1;
    if (k >= 8) {
        qsort(z, k, sizeof *z, by_value);
        d = z[k / 2] / 0.4549; /* the median of a chi-square of one degree: robust against the incident itself */
    }
    free(z);
    return d < 1 ? 1 : d > 50 ? 50 : d;
}

/* Siegmund's tail of the supremum over splits in [trim, 1 - trim]. */
static double sup_p(double stat, double trim)
{
    if (stat <= 4) {
        return 1;
    }
    double x = sqrt(stat), l = 2 * log((1 - trim) / trim);
    double p = x * exp(-stat / 2) / sqrt(6.283185307179586) * ((1 - 1 / stat) * l + 4 / stat);
    return p > 1 ? 1 : p < CHANGE_P_FLOOR ? CHANGE_P_FLOOR : p;
}

struct sums { /* over i >= a split: weights and moments; t is the index */
    double w, y, yy, t, tt, ty;
};

/* Residual sum of squares of y on [1, h], where h = 1 or (t - k) for t >= k. slope and level come back. */
static double fit(const struct sums *all, double sh, double shh, double shy, double *level, double *slope)
{
    double det = all->w * shh - sh * sh;
    if (det <= 1e-12 * all->w * (shh + 1)) {
        return INFINITY;
    }
    *slope = (all->w * shy - sh * all->y) / det;
    *level = (all->y - *slope * sh) / all->w;
    return all->yy - *level * all->y - *slope * shy;
}

static double kink_rss(const struct sums *all, const struct sums *s, double k, double *level, double *slope)
{
    return fit(all, s->t - k * s->w, s->tt - 2 * k * s->t + k * k * s->w, s->ty - k * s->y, level, slope);
}

bool change_best(const double *y, const double *w, size_t n, struct change *out)
{
    size_t used = 0;
    double mean = 0, weight = 0;
    for (size_t i = 0; i < n; i++) {
        used += w[i] > 0;
        mean += w[i] * y[i];
        weight += w[i];
    }
    if (used < POINTS_MIN || !(weight > 0)) {
        return false;
    }
    mean /= weight;
    struct sums *suffix = lq_alloc((n + 1) * sizeof *suffix);
    for (size_t i = n; i-- > 0;) {
        double v = y[i] - mean, t = (double)i;
        suffix[i] = suffix[i + 1];
        if (w[i] > 0) {
            suffix[i].w += w[i];
            suffix[i].y += w[i] * v;
            suffix[i].yy += w[i] * v * v;
            suffix[i].t += w[i] * t;
            suffix[i].tt += w[i] * t * t;
            suffix[i].ty += w[i] * t * v;
        }
    }
    const struct sums all = suffix[0];
    size_t trim = n / 20 > 3 ? n / 20 : 3;
    double best[2] = {INFINITY, INFINITY};
    size_t at[2] = {0, 0};
    for (size_t k = trim; k + trim < n; k++) {
        double level, slope;
        double step = suffix[k].w > 0 && all.w - suffix[k].w > 0
                          ? fit(&all, suffix[k].w, suffix[k].w, suffix[k].y, &level, &slope)
                          : INFINITY;
        double kink = kink_rss(&all, &suffix[k], (double)k, &level, &slope);
        if (step < best[0]) {
            best[0] = step;
            at[0] = k;
        }
        if (kink < best[1]) {
            best[1] = kink;
            at[1] = k;
        }
    }
    int shape = best[1] < best[0] ? SHAPE_KINK : SHAPE_STEP;
    bool ok = isfinite(best[shape]) && best[shape] > 0 && all.yy > 0;
    if (ok) {
        size_t k = at[shape];
        double level = 0, slope = 0, rho = 0, r0 = 0, prev = 0;
        if (shape == SHAPE_KINK) {
            kink_rss(&all, &suffix[k], (double)k, &level, &slope);
        } else {
            fit(&all, suffix[k].w, suffix[k].w, suffix[k].y, &level, &slope);
        }
        bool has_prev = false;
        for (size_t i = 0; i < n; i++) { /* lag-one correlation of standardised residuals */
            if (w[i] > 0) {
                double h = i >= k ? (shape == SHAPE_KINK ? (double)(i - k) : 1) : 0;
                double r = (y[i] - mean - level - slope * h) * sqrt(w[i]);
                rho += has_prev ? r * prev : 0;
                r0 += r * r;
                prev = r;
                has_prev = true;
            }
        }
        rho = r0 > 0 ? rho / r0 : 0;
        rho = rho < 0 ? 0 : rho > 0.97 ? 0.97 : rho + (1 + 3 * rho) / (double)used; /* the estimate is biased down */
        rho = rho > 0.98 ? 0.98 : rho;
        double sigma2 = best[shape] / (double)(used - 3) * (1 + rho) / (1 - rho);
        out->shape = (enum change_shape)shape;
        out->at = (uint32_t)k;
        out->stat = (all.yy - best[shape]) / sigma2;
        out->p = sup_p(out->stat, 0.05);
        out->unexplained = best[shape] / all.yy;
        out->before = level + mean;
        out->after = level + mean + slope * (shape == SHAPE_KINK ? (double)(n - 1 - k) : 1);
        out->low = out->high = out->at;
        for (size_t i = trim; i + trim < n; i++) { /* profile: within the 95 % point of a chi-square of one degree */
            double l2, s2;
            double rss = shape == SHAPE_KINK ? kink_rss(&all, &suffix[i], (double)i, &l2, &s2)
                                             : fit(&all, suffix[i].w, suffix[i].w, suffix[i].y, &l2, &s2);
            if ((rss - best[shape]) / sigma2 <= 3.84) {
                out->low = (uint32_t)i < out->low ? (uint32_t)i : out->low;
                out->high = (uint32_t)i > out->high ? (uint32_t)i : out->high;
            }
        }
    }
    free(suffix);
    return ok;
}

struct ranked_p {
    double p;
    size_t i;
};

static int by_p(const void *a, const void *b)
{
    const struct ranked_p *x = a, *y = b;
    return x->p != y->p ? (x->p < y->p ? -1 : 1) : x->i < y->i ? -1 : x->i > y->i;
}

size_t benjamini_hochberg(const double *p, size_t n, double fdr, bool *accepted)
{
    struct ranked_p *r = lq_alloc((n + 1) * sizeof *r);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        r[i] = (struct ranked_p){p[i], i};
        accepted[i] = false;
    }
    qsort(r, n, sizeof *r, by_p);
    for (size_t i = 0; i < n; i++) {
        if (r[i].p <= fdr * (double)(i + 1) / (double)n) {
            k = i + 1;
        }
    }
    for (size_t i = 0; i < k; i++) {
        accepted[r[i].i] = true;
    }
    free(r);
    return k;
}

double share_contrast_p(double s1, double n1, double s2, double n2, double dispersion)
{
    double a = s1 + 0.5, b = n1 - s1 + 0.5, c = s2 + 0.5, d = n2 - s2 + 0.5;
    if (n1 <= 0 || n2 <= 0) {
        return 1;
    }
    double z = (log(a / b) - log(c / d)) / sqrt((1 / a + 1 / b + 1 / c + 1 / d) * dispersion);
    double p = erfc(fabs(z) / 1.4142135623730951);
    return p < CHANGE_P_FLOOR ? CHANGE_P_FLOOR : p;
}
