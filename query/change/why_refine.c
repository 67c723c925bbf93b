/*
 * why_refine.c - the exact start and end of an incident
 *
 * A rise at once is a step: the split that makes the data likeliest. A rise that builds up is a line that bends (a
 * kink): then the onset is the bend, not the moment when it had become plain; one that jumps first and builds up then
 * begins at the jump. All are fitted by weighted least squares, the weights from the levels before and after. The
 * interval holds every place that fits nearly as well (95 % by profile), and a step on each side.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/why_onset.h"

enum { BLOCK = 10, WINDOW_MIN = 90, WINDOW_MAX = 6000, SPIKE_S = 1200, ENOUGH = 10 };

struct moments { /* of what lies at or after a step */
    double w, y, t, tt, ty;
};

static double fit(const struct moments *all, double yy, double sh, double shh, double shy, double *slope)
{
    double det = all->w * shh - sh * sh;
    if (!(all->w > 0) || det <= 1e-12 * all->w * (shh + 1e-300)) {
        return INFINITY;
    }
    *slope = (all->w * shy - sh * all->y) / det;
    double level = (all->y - *slope * sh) / all->w;
    return yy - level * all->y - *slope * shy;
}

/* Before: a level. After: a line of its own. The squares of both add up. */
static double jump_rss(const struct moments *m, double yy, uint32_t i, bool falling)
{
    struct moments a = m[i], b = {.w = m[0].w - m[i].w, .y = m[0].y - m[i].y};
    double det = a.w * a.tt - a.t * a.t;
    if (b.w <= 0 || a.w <= 0 || det <= 1e-9 * a.w * a.tt) {
        return INFINITY;
    }
    double slope = (a.w * a.ty - a.t * a.y) / det, level = (a.y - slope * a.t) / a.w, start = level + slope * (double)i;
    return (start > b.y / b.w) != falling ? yy - b.y * b.y / b.w - level * a.y - slope * a.ty : INFINITY;
}

static double rss_at(const struct moments *m, double yy, uint32_t i, enum rise_shape shape, bool falling)
{
    double slope = 0, k = (double)i;
    if (shape == RISE_JUMP) {
        return jump_rss(m, yy, i, falling);
    }
    double rss = shape == RISE_KINK ? fit(&m[0], yy, m[i].t - k * m[i].w, m[i].tt - 2 * k * m[i].t + k * k * m[i].w,
                                          m[i].ty - k * m[i].y, &slope)
                 : m[i].w > 0 && m[0].w - m[i].w > 0 ? fit(&m[0], yy, m[i].w, m[i].w, m[i].y, &slope)
                                                     : INFINITY;
    return (slope > 0) != falling ? rss : INFINITY;
}

bool rise_fit(const double *y, const double *w, uint32_t n, bool falling, struct rise *out)
{
    struct moments *m = lq_alloc((n + 1) * sizeof *m);
    double yy = 0, used = 0, mean = 0, weight = 0;
    for (uint32_t i = 0; i < n; i++) {
        mean += w[i] * y[i];
        weight += w[i];
    }
    mean = weight > 0 ? mean / weight : 0;
    for (uint32_t i = n; i-- > 0;) {
        double v = y[i] - mean, t = (double)i;
        m[i] = m[i + 1];
        if (w[i] > 0) {
            m[i].w += w[i];
            m[i].y += w[i] * v;
            m[i].t += w[i] * t;
            m[i].tt += w[i] * t * t;
            m[i].ty += w[i] * t * v;
            yy += w[i] * v * v;
            used++;
        }
    }
    double best[3] = {INFINITY, INFINITY, INFINITY};
    uint32_t at[3] = {0, 0, 0};
    for (uint32_t i = 1; i < n; i++) {
        for (int k = 0; k < 3; k++) {
            double rss = rss_at(m, yy, i, (enum rise_shape)k, falling);
            if (rss < best[k]) {
                best[k] = rss;
                at[k] = i;
            }
        }
    }
    bool ok = used >= 3 && isfinite(best[RISE_STEP]) && yy > 0;
    if (ok) {
        double least = fmin(best[RISE_STEP], fmin(best[RISE_KINK], best[RISE_JUMP])),
               sigma2 = least / fmax(used - 4, 1);
        sigma2 = sigma2 > 1 ? sigma2 : 1; /* the weights are inverse variances */
        enum rise_shape plain = best[RISE_KINK] < best[RISE_STEP] - 6 * sigma2 ? RISE_KINK : RISE_STEP;
        int k = (int)(best[RISE_JUMP] < best[plain] - 4 * sigma2 ? RISE_JUMP : plain);
        out->shape = (enum rise_shape)k;
        out->at = out->low = out->high = at[k];
        out->gain = (yy - best[k]) / sigma2;
        for (int j = 0; j < 3; j++) { /* where two shapes fit about as well, the places of both are possible */
            for (uint32_t i = 1; i < n && (j == k || best[j] < best[k] + 6 * sigma2); i++) {
                if ((rss_at(m, yy, i, (enum rise_shape)j, falling) - fmin(best[j], best[k])) / sigma2 <=
                    (j == k ? 5 : 6)) {
                    out->low = i < out->low ? i : out->low;
                    out->high = i > out->high ? i : out->high;
                }
            }
        }
    }
    free(m);
    return ok;
}

/* y and weights of target steps [lo, hi): inverse variances from the level before, and after step `mid`, of the
 * incident. */
static void weigh(const struct why *y, const struct incident *x, uint32_t lo, uint32_t hi, uint32_t mid, double sigma,
                  double *v, double *w)
{
    const struct target *t = &y->t;
    double s = 0, n = 0;
    for (uint32_t i = lo; i < hi; i++) {
        if (i >= mid && (i - mid) % BLOCK == 0) { /* the level may grow: that of the next few steps */
            s = n = 0;
            for (uint32_t j = i; j < hi && j < i + BLOCK; j++) {
                s += t->num[j];
                n += t->den[j];
            }
        }
        double r = i < mid ? x->before : (s + 2 * x->after) / (n + 2);
        v[i - lo] = 0;
        w[i - lo] = 0;
        if (t->kind == TARGET_SHARE && t->den[i] > 0) {
            r = (r * 50 + 0.5) / 51;
            v[i - lo] = t->num[i] / t->den[i];
            w[i - lo] = t->den[i] / (r * (1 - r) * y->dispersion);
        } else if (t->kind == TARGET_COUNT) {
            v[i - lo] = t->num[i];
            w[i - lo] = 1 / (sigma * sigma + 0.25);
        } else if (t->den[i] > 0) {
            v[i - lo] = t->num[i];
            w[i - lo] = sigma > 0 ? 1 / (sigma * sigma) : 1;
        }
    }
}

/* Spread of steps around their neighbours: values and counts have no variance of their own. */
static double roughness(const struct target *t, uint32_t lo, uint32_t hi)
{
    double s = 0, k = 0;
    for (uint32_t i = lo + 1; i < hi; i++) {
        if (t->den[i] > 0 && t->den[i - 1] > 0) {
            double d = t->num[i] - t->num[i - 1];
            s += d * d / 2;
            k++;
        }
    }
    return k > 0 ? sqrt(s / k) : 1;
}

/* Where the level is reached: the end of the rise is not looked past. */
static uint32_t top_of_rise(const struct why *y, const struct incident *x, uint32_t k)
{
    const struct target *t = &y->t;
    uint32_t unit = k > 1 ? k : 5;
    double full = x->falling ? x->before - x->peak : x->peak - x->before;
    for (uint32_t i = x->from; i < x->to; i += unit) {
        double s = 0, w = 0;
        for (uint32_t j = i; j < i + unit && j < x->to; j++) {
            s += t->kind == TARGET_VALUE ? t->num[j] * t->den[j] : t->num[j];
            w += t->den[j];
        }
        double level = w > 0 ? s / w : x->before;
        if ((x->falling ? x->before - level : level - x->before) >= 0.75 * full && t->kind != TARGET_COUNT) {
            return i + unit < x->to ? i + unit : x->to;
        }
    }
    return x->from + 6 * unit < x->to ? x->from + 6 * unit : x->to;
}

/* Of s in w at their own level, or at one that is known (NAN: it is not). */
static double level_cost(double s, double w, double level)
{
    double f = w - s, p = isfinite(level) ? level : w > 0 ? s / w : 0;
    return (s > 0 ? -2 * s * log(p) : 0) + (f > 0 ? -2 * f * log1p(-p) : 0);
}

/* What usually fails: known from all that lies before. */
static double usual_level(const struct target *t, const struct incident *x)
{
    double w = 1;
    for (uint32_t i = 0; i < x->from; i++) {
        w += t->den[i];
    }
    return fmin(fmax(x->before, 0.5 / w), 0.5);
}

/*
 * The place of a step of a share by its own likelihood. Where a step has a request or two, least squares takes a single failure of
 * the base for a thing that cannot be, and dates the step at it.
 */
static void place_step(const struct why *y, uint32_t lo, uint32_t hi, double usual, bool falling, struct rise *r)
{
    const struct target *t = &y->t;
    double s = 0, w = 0, bs = 0, bw = 0, best = INFINITY;
    double *c = lq_alloc((hi - lo + 1) * sizeof *c);
    for (uint32_t i = lo; i < hi; i++) {
        s += t->num[i];
        w += t->den[i];
    }
    for (uint32_t i = lo; i < hi; i++) {
        bool rises = (s - bs) * bw > bs * (w - bw);
        c[i - lo] = i > lo && rises != falling ? level_cost(bs, bw, usual) + level_cost(s - bs, w - bw, NAN) : INFINITY;
        if (c[i - lo] < best) {
            best = c[i - lo];
            r->at = i - lo;
        }
        bs += t->num[i];
        bw += t->den[i];
    }
    if (isfinite(best)) {
        r->gain = (level_cost(s, w, usual) - best) / y->dispersion;
        r->low = r->high = r->at;
        for (uint32_t i = 0; i < hi - lo; i++) {
            if ((c[i] - best) / y->dispersion <= 5) {
                r->low = i < r->low ? i : r->low;
                r->high = i > r->high ? i : r->high;
            }
        }
    }
    free(c);
}

/* How far the level after a step is looked at: until it has failed so often that a failure or two of the base before it are told from it. */
static uint32_t enough_after(const struct target *t, const struct incident *x, uint32_t hi)
{
    double s = 0;
    for (uint32_t i = x->from; i < hi; i++) {
        s += t->num[i];
    }
    for (; hi < x->to && hi - x->from < WINDOW_MAX && s < ENOUGH; hi++) {
        s += t->num[hi];
    }
    return hi;
}

static void find_start(struct why *y, struct incident *x, uint32_t k, uint32_t floor)
{
    const struct target *t = &y->t;
    uint32_t top = top_of_rise(y, x, k), rise = top - x->from,
             back = rise + 4 * k > WINDOW_MIN ? rise + 4 * k : WINDOW_MIN;
    back = back < WINDOW_MAX ? back : WINDOW_MAX;
    uint32_t lo = x->from > back ? x->from - back : 0, hi = top + 2 * k < x->to ? top + 2 * k : x->to;
    hi = hi < x->from + k + 30 && x->from + k + 30 < x->to ? x->from + k + 30 : hi;
    lo = lo < floor ? floor : lo;
    hi = hi - lo > WINDOW_MAX ? lo + WINDOW_MAX : hi;
    double *v = lq_alloc((hi - lo + 1) * sizeof *v), *w = lq_alloc((hi - lo + 1) * sizeof *w);
    struct rise r;
    weigh(y, x, lo, hi, x->from, roughness(t, lo, hi), v, w);
    x->type = "step_change";
    x->time_us = (t->from_s + (int64_t)x->from * t->step_s) * US;
    x->low_us = x->time_us - (int64_t)k * t->step_s * US;
    x->high_us = x->time_us + (int64_t)k * t->step_s * US;
    if (rise_fit(v, w, hi - lo, x->falling, &r)) {
        if (r.shape == RISE_STEP && t->kind == TARGET_SHARE) {
            place_step(y, lo, enough_after(t, x, hi), usual_level(t, x), false, &r);
        }
        uint32_t low = lo + r.low, high = lo + r.high;
        bool slow = r.shape != RISE_STEP && (int64_t)(hi - lo - r.at) * t->step_s >= 300;
        x->type = slow ? "trend_change" : "step_change";
        x->time_us = (t->from_s + (int64_t)(lo + r.at) * t->step_s) * US;
        x->low_us = (t->from_s + ((int64_t)low - 1 - (r.shape == RISE_KINK ? (high - low) / 4 : 0)) * t->step_s) * US;
        x->high_us = (t->from_s + ((int64_t)high + 1) * t->step_s) * US;
        x->p = erfc(sqrt(r.gain / 2)) * (1 + 2 * log(1 + (double)t->n));
        x->p = x->p > 1 ? 1 : x->p < CHANGE_P_FLOOR ? CHANGE_P_FLOOR : x->p;
    }
    free(v);
    free(w);
}

static void find_end(struct why *y, struct incident *x, uint32_t k)
{
    const struct target *t = &y->t;
    x->end_us = INT64_MAX;
    if (x->ongoing) {
        return;
    }
    uint32_t back = 4 * k > WINDOW_MIN ? 4 * k : WINDOW_MIN,
             start = (uint32_t)((x->time_us / US - t->from_s) / t->step_s);
    uint32_t lo = x->to > back + start ? x->to - back : start, hi = x->to + back < t->n ? x->to + back : t->n;
    double *v = lq_alloc((hi - lo + 1) * sizeof *v), *w = lq_alloc((hi - lo + 1) * sizeof *w);
    struct incident flipped = *x;
    struct rise r;
    flipped.before = x->after;
    flipped.after = x->before;
    weigh(y, &flipped, lo, hi, x->to, roughness(t, lo, hi), v, w);
    uint32_t at = x->to;
    if (rise_fit(v, w, hi - lo, !x->falling, &r) && r.shape != RISE_KINK) {
        if (r.shape == RISE_STEP && t->kind == TARGET_SHARE) {
            place_step(y, lo, hi, NAN, true, &r);
        }
        at = lo + r.at;
    }
    x->end_us = (t->from_s + (int64_t)at * t->step_s) * US;
    x->end_us = x->end_us <= x->time_us ? x->time_us + t->step_s * US : x->end_us;
    free(v);
    free(w);
}

void why__refine(struct why *y, struct incident *x, uint32_t k)
{
    uint32_t floor = x > y->incidents ? x[-1].to : 0;
    floor = floor < x->from ? floor : 0;
    find_start(y, x, k, floor);
    if (y->t.kind == TARGET_SHARE) {
        why__slow_start(y, x, floor);
    }
    find_end(y, x, k);
    int64_t lasted = x->ongoing ? INT64_MAX : x->end_us - x->time_us, range = (int64_t)y->t.n * y->t.step_s * US;
    if (!x->ongoing && (lasted <= SPIKE_S * US || lasted <= 3 * (int64_t)k * y->t.step_s * US) && lasted < range / 10) {
        x->type = "spike";
    }
}
