/*
 * change_best.c - the best single change of a series (change_best.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/change/change_best.h"

#include <math.h>
#include <stdlib.h>

#include "schema/base/buf.h"

enum { POINTS_MIN = 12, TRIM_MIN = 3, EVENTS_FOR_KINK = 200 };
#define TRIM 0.05
/* Set once by simulation (bench/calibrate): */
#define RHO_BIAS        2.5 /* of the correlation around a fitted change, in units of -(1 + 3 rho) / n; a plain mean has 1 */
#define RHO_SPREAD(rho) (0.85 + 0.6 * fabs(rho)) /* standard error of atanh(rho), in units of 1 / sqrt(n) */
#define REST_WINDOW     0.75                     /* lags of the Bartlett window, in units of the cube root of n */
#define REST_BIAS       2                        /* of each of its lags, in units of -1 / n */
/* Where a likelihood profile of the place has fallen by its 95 % point: a step's place is not regular (Siegmund 1986: 1
 * - (1 - exp(-x/2))^2), a kink's is. */
#define PROFILE_STEP 7.35
#define PROFILE_KINK 3.84

struct memory { /* long-run variance over variance: of an AR(1), and what it leaves */
    double rho, rest;
    double spread; /* standard error of its logarithm */
    double skew;   /* of the residuals, towards the change on its short side; at least 0 */
};

double change_sup_p(double stat, double trim, double n)
{
    if (stat <= 4) {
        return 1;
    }
    enum { STEPS = 8 };
    double x = sqrt(stat), half = log((1 - trim) / trim), over = 0;
    for (int i = 0; i < STEPS;
         i++) { /* over log(t / (1 - t)); exp(-0.583 ..): a walk of n steps jumps over the bound (Siegmund 1985) */
        double e = exp(half * (i + 0.5) / STEPS), spread = 2 + e + 1 / e; /* 1 / (t (1 - t)) */
        over += exp(-0.583 * x * sqrt(spread / n)) / STEPS;
    }
    double p = x * exp(-stat / 2) / sqrt(6.283185307179586) * ((1 - 1 / stat) * 2 * half * over + 4 / stat);
    return p > 1 ? 1 : p;
}

/* The mean of a few independent skewed points is skewed itself. Half of the correction of Cornish and Fisher (1938), at
 * most a third of the score: bursts that last looked like a step near an end (1e-5 came seven times too often); the
 * whole of it made log-normal values ten times too careful. */
static double less_skew(double stat, double skew, double points)
{
    double z = sqrt(stat), less = skew * (stat - 1) / (12 * sqrt(points > 1 ? points : 1));
    if (!(stat > 1) || !(less > 0)) {
        return stat;
    }
    z -= less < z / 3 ? less : z / 3;
    return z * z;
}

/* Skew towards the change, if the shorter side of n points is at its end. */
static double skew_towards(double skew, const struct change *c, size_t n)
{
    bool up = c->after > c->before, at_end = 2 * (size_t)c->at >= n;
    double s = up == at_end ? skew : -skew;
    return s > 0 ? s : 0;
}

static double shorter_side(const struct change *c, size_t n)
{
    size_t right = n - c->at;
    return (double)(c->at < right ? c->at : right);
}

/* The tail averaged over the long-run variance: five points of Gauss and Hermite on its logarithm, which is 2
 * atanh(rho) for an AR(1). */
static double averaged_p(double ratio, const struct memory *m, size_t n, double shorter)
{
    static const double at[] = {-2.8569700138728056, -1.3556261799742659, 0, 1.3556261799742659, 2.8569700138728056};
    static const double weight[] = {0.011257411327720689, 0.22207592200561266, 0.53333333333333333, 0.22207592200561266,
                                    0.011257411327720689};
    double p = 0;
    for (int i = 0; i < 5; i++) {
        double x = exp(2 * atanh(m->rho) + log(m->rest) + m->spread * at[i]);
        x = x < 1 ? 1 : x;
        p += weight[i] * change_sup_p(less_skew(ratio * (double)n / x, m->skew, shorter / x), TRIM, (double)n * x);
    }
    return p > 1 ? 1 : p < CHANGE_P_FLOOR ? CHANGE_P_FLOOR : p;
}

static double inflation(const struct memory *m)
{
    return m->rest * (m->rho > 0 ? (1 + m->rho) / (1 - m->rho) : 1);
}

/* r are n residuals around the change. What an AR(1) leaves is looked for in its own residuals, by a Bartlett window
 * (Andrews, Monahan 1992): counts with a slowly moving rate have a small correlation that lasts long. */
static struct memory memory_of(double *r, size_t n)
{
    double r0 = 0, r1 = 0, r3 = 0, r4 = 0, u0 = 0, rest = 1;
    for (size_t i = 0; i < n; i++) {
        r1 += i > 0 ? r[i] * r[i - 1] : 0;
        r0 += r[i] * r[i];
        r3 += r[i] * r[i] * r[i];
        r4 += r[i] * r[i] * r[i] * r[i];
    }
    double raw = r0 > 0 ? r1 / r0 : 0, rho = raw + RHO_BIAS * (1 + 3 * raw) / (double)n;
    size_t window = (size_t)(REST_WINDOW * cbrt((double)n));
    for (size_t i = n; i-- > 1;) {
        r[i] -= raw * r[i - 1];
        u0 += r[i] * r[i];
    }
    for (size_t h = 1; h <= window && u0 > 0; h++) {
        double c = 0;
        for (size_t i = h + 1; i < n; i++) {
            c += r[i] * r[i - h];
        }
        rest += 2 * (1 - (double)h / (double)(window + 1)) * (c / u0 + REST_BIAS / (double)n);
    }
    struct memory m = {rho < -0.9   ? -0.9
                       : rho > 0.98 ? 0.98
                                    : rho,
                       rest < 1 ? 1 : rest, 0, r0 > 0 ? r3 * sqrt((double)n) / (r0 * sqrt(r0)) : 0};
    double tails = r0 > 0 ? r4 * (double)n / (r0 * r0) - 3 : 0,
           var = 4 * RHO_SPREAD(m.rho) * RHO_SPREAD(m.rho) / ((double)n - 8);
    var += tails > 0 ? tails / (double)n : 0;
    var += rest > 1 ? 4.0 / 3 * (double)window / (double)n : 0;
    m.spread = sqrt(var);
    return m;
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

static double rss_at(const struct sums *all, const struct sums *s, size_t k, enum change_shape shape, double *level,
                     double *slope)
{
    double at = (double)k;
    if (shape == SHAPE_STEP) {
        return s->w > 0 && all->w - s->w > 0 ? fit(all, s->w, s->w, s->y, level, slope) : INFINITY;
    }
    return fit(all, s->t - at * s->w, s->tt - 2 * at * s->t + at * at * s->w, s->ty - at * s->y, level, slope);
}

struct values {
    const double *y, *w;
    size_t n, used, trim;
    double mean;
    struct sums *suffix;
};

static bool values_init(struct values *v, const double *y, const double *w, size_t n)
{
    double weight = 0;
    *v = (struct values){.y = y, .w = w, .n = n, .trim = n / 20 > TRIM_MIN ? n / 20 : TRIM_MIN};
    for (size_t i = 0; i < n; i++) {
        v->used += w[i] > 0;
        v->mean += w[i] > 0 ? w[i] * y[i] : 0;
        weight += w[i];
    }
    if (v->used < POINTS_MIN || !(weight > 0)) {
        return false;
    }
    v->mean /= weight;
    v->suffix = lq_alloc((n + 1) * sizeof *v->suffix);
    for (size_t i = n; i-- > 0;) {
        struct sums *s = &v->suffix[i];
        *s = v->suffix[i + 1];
        if (w[i] > 0) {
            double x = y[i] - v->mean, t = (double)i;
            s->w += w[i];
            s->y += w[i] * x;
            s->yy += w[i] * x * x;
            s->t += w[i] * t;
            s->tt += w[i] * t * t;
            s->ty += w[i] * t * x;
        }
    }
    return true;
}

/* The split with the smallest residual sum of squares. */
static size_t best_split(const struct values *v, enum change_shape shape, double *rss)
{
    size_t at = 0;
    double level, slope;
    *rss = INFINITY;
    for (size_t k = v->trim; k + v->trim < v->n; k++) {
        double r = rss_at(&v->suffix[0], &v->suffix[k], k, shape, &level, &slope);
        if (r < *rss) {
            *rss = r;
            at = k;
        }
    }
    return at;
}

/* Of the standardised residuals around the change. */
static struct memory value_memory(const struct values *v, const struct change *c, double level, double slope)
{
    double *r = lq_alloc((v->used + 1) * sizeof *r);
    size_t k = 0;
    for (size_t i = 0; i < v->n; i++) {
        if (v->w[i] > 0) {
            double h = i >= c->at ? (c->shape == SHAPE_KINK ? (double)(i - c->at) : 1) : 0;
            r[k++] = (v->y[i] - v->mean - level - slope * h) * sqrt(v->w[i]);
        }
    }
    struct memory m = memory_of(r, k);
    free(r);
    return m;
}

static void profile(const struct values *v, double best, double variance, struct change *c)
{
    double level, slope, reach = c->shape == SHAPE_KINK ? PROFILE_KINK : PROFILE_STEP;
    c->low = c->high = c->at;
    for (size_t k = v->trim; k + v->trim < v->n; k++) {
        if ((rss_at(&v->suffix[0], &v->suffix[k], k, c->shape, &level, &slope) - best) / variance <= reach) {
            c->low = (uint32_t)k < c->low ? (uint32_t)k : c->low;
            c->high = (uint32_t)k > c->high ? (uint32_t)k : c->high;
        }
    }
}

bool change_best(const double *y, const double *w, size_t n, struct change *out)
{
    struct values v;
    struct change c = {.dispersion = 1};
    if (!values_init(&v, y, w, n)) {
        return false;
    }
    const struct sums *all = &v.suffix[0];
    double rss[2], level = 0, slope = 0;
    size_t at[2] = {best_split(&v, SHAPE_STEP, &rss[0]), best_split(&v, SHAPE_KINK, &rss[1])};
    c.shape = rss[1] < rss[0] ? SHAPE_KINK : SHAPE_STEP;
    c.at = (uint32_t)at[c.shape];
    double best = rss[c.shape], least = 1e-12 * all->yy; /* what is left of a perfect fit is rounding */
    bool ok = isfinite(best) && all->yy > 0 && all->yy > 1e-24 * all->w * v.mean * v.mean;
    if (ok) {
        best = best > least ? best : least;
        rss_at(all, &v.suffix[c.at], c.at, c.shape, &level, &slope);
        struct memory m = value_memory(&v, &c, level, slope);
        c.rho = m.rho;
        c.inflation = inflation(&m);
        double ratio = log(all->yy / best);
        c.stat = ratio * (double)v.used / c.inflation;
        c.unexplained = best / all->yy;
        c.before = level + v.mean;
        c.after = c.before + slope * (c.shape == SHAPE_KINK ? (double)(n - 1 - c.at) : 1);
        m.skew = skew_towards(m.skew, &c, n);
        c.p = averaged_p(ratio, &m, v.used, shorter_side(&c, n));
        profile(&v, best, best / (double)(v.used - 3) * c.inflation, &c);
        *out = c;
    }
    free(v.suffix);
    return ok;
}

/* -2 log likelihood of s events in t, at their own rate. */
static double count_cost(double s, double t, bool share)
{
    if (!(t > 0)) {
        return 0;
    }
    if (share) {
        double f = t - s;
        return -2 * ((s > 0 ? s * log(s / t) : 0) + (f > 0 ? f * log(f / t) : 0));
    }
    return s > 0 ? 2 * (s - s * log(s / t)) : 0;
}

static double clamp_share(double p, bool share)
{
    return share && p > 1 ? 1 : p;
}

/* Residuals around the step: dispersion (at least 1) and memory. They are weighted as they enter the sums, by exposure:
 * a rate that moves makes busy hours noisier than their share, and those decide. */
static struct memory count_memory(const double *s, const double *t, size_t n, const struct change *c, bool share,
                                  double *dispersion)
{
    double *r = lq_alloc((n + 1) * sizeof *r), rr = 0, exposure = 0;
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        double p = i < c->at ? c->before : c->after, var = p * (share ? 1 - p : 1);
        if (t[i] > 0 && var > 0) {
            r[k] = (s[i] - t[i] * p) / sqrt(var);
            rr += r[k] * r[k];
            exposure += t[i];
            k++;
        }
    }
    *dispersion = k > 2 && rr > exposure ? rr / exposure * (double)k / (double)(k - 2) : 1;
    struct memory m = memory_of(r, k);
    free(r);
    return m;
}

static bool best_count_step(const double *s, const double *t, size_t n, bool share, struct change *out)
{
    double all_s = 0, all_t = 0, best = INFINITY;
    size_t used = 0, trim = n / 20 > TRIM_MIN ? n / 20 : TRIM_MIN;
    struct change c = {.shape = SHAPE_STEP};
    double *cost = lq_alloc((n + 1) * sizeof *cost);
    for (size_t i = 0; i < n; i++) {
        used += t[i] > 0;
        all_s += t[i] > 0 ? s[i] : 0;
        all_t += t[i];
    }
    double ls = 0, lt = 0, ls_at = 0, lt_at = 0;
    for (size_t k = 1; k < n; k++) {
        ls += t[k - 1] > 0 ? s[k - 1] : 0;
        lt += t[k - 1];
        cost[k] = k >= trim && k + trim < n && lt > 0 && all_t > lt
                      ? count_cost(ls, lt, share) + count_cost(all_s - ls, all_t - lt, share)
                      : INFINITY;
        if (cost[k] < best) {
            best = cost[k];
            c.at = (uint32_t)k;
            ls_at = ls;
            lt_at = lt;
        }
    }
    bool ok = used >= POINTS_MIN && isfinite(best) && all_s > 0;
    if (ok) {
        c.before = clamp_share(ls_at / lt_at, share);
        c.after = clamp_share((all_s - ls_at) / (all_t - lt_at), share);
        struct memory m = count_memory(s, t, n, &c, share, &c.dispersion);
        c.rho = m.rho;
        c.inflation = inflation(&m);
        double without = count_cost(all_s, all_t, share), lr = (without - best) / c.dispersion;
        double ratio = log1p((lr > 0 ? lr : 0) / (double)used);
        c.stat = ratio * (double)used / c.inflation;
        m.skew = skew_towards(m.skew, &c, n) *
                 (1 - 1 / c.dispersion); /* that of the counts themselves is in their likelihood */
        c.p = averaged_p(ratio, &m, used, shorter_side(&c, n));
        c.unexplained = 1 / (1 + (lr > 0 ? lr : 0) / (double)used);
        c.low = c.high = c.at;
        for (uint32_t k = 1; k < n; k++) {
            if ((cost[k] - best) / (c.dispersion * c.inflation) <= PROFILE_STEP) {
                c.low = k < c.low ? k : c.low;
                c.high = k > c.high ? k : c.high;
            }
        }
        *out = c;
    }
    free(cost);
    return ok;
}

/* A step by its own likelihood; a kink, if that fits the rates better, as values. */
static bool best_count(const double *s, const double *t, size_t n, bool share, struct change *out)
{
    double *rate = lq_alloc((n + 1) * sizeof *rate), events = 0;
    struct change kink;
    bool ok = best_count_step(s, t, n, share, out);
    for (size_t i = 0; i < n; i++) {
        rate[i] = t[i] > 0 ? s[i] / t[i] : 0;
        events += t[i] > 0 ? s[i] : 0;
    }
    /* Not in the outer tenths: a short ramp there rests on a few points, whose noise is not normal (1e-4 came 11 times
     * too often). */
    if (ok && events >= EVENTS_FOR_KINK && change_best(rate, t, n, &kink) && kink.shape == SHAPE_KINK &&
        kink.at >= n / 10 && kink.at < n - n / 10) {
        double dispersion = out->dispersion;
        *out = kink;
        out->dispersion = dispersion;
        out->before = kink.before < 0 ? 0 : clamp_share(kink.before, share);
        out->after = kink.after < 0 ? 0 : clamp_share(kink.after, share);
    }
    free(rate);
    return ok;
}

bool change_best_count(const double *events, const double *exposure, size_t n, struct change *out)
{
    return best_count(events, exposure, n, false, out);
}

bool change_best_share(const double *successes, const double *trials, size_t n, struct change *out)
{
    return best_count(successes, trials, n, true, out);
}
