/*
 * detect.c - cuts, tested and named (detect.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "query/change/detect.h"

#include <math.h>
#include <stdlib.h>

#include "query/change/change_best.h"
#include "query/change/changepoints.h"
#include "query/change/noise.h"
#include "query/change/season.h"
#include "query/change/segment.h"
#include "schema/base/buf.h"

enum {
    CUTS_MAX = 64,
    PULSE_MAX =
        5, /* a state of up to this many points, or PULSE_SHARE of the series, that returns is a spike or a dip */
    PULSE_SHARE = 100,
    REACH = 8 /* a neighbourhood reaches this many times as far on the long side as on the short one: its cut lies
                 inside change_best's trim */
};
#define P_MAX   0.01
#define RETURNS 0.3 /* the levels around a pulse differ by less than this part of its height */
/* Cuts of values: as changepoints.h, but every change that stands out of the noise, however small in a picture. */
static const struct changepoints_setting sharp = {0, 2, 3, 400, false};

/* How far single points stand from the middle when nothing happens: beyond the outermost fiftieth a generalised Pareto
 * by moments (Hosking, Wallis 1987), its shape never lighter than TAIL_SHAPE: a tail of twenty points says little about
 * itself, and latencies and bursts have heavy ones. */
#define TAIL_SHAPE        0.2
#define TAIL_SHAPE_COUNTS 0.05 /* of counts and shares without over-dispersion: Poisson, binomial */
struct tail {
    double middle, bound, scale, shape, share;
};

struct work {
    const struct detect_input *in;
    double *y, *w; /* without season */
    uint32_t cuts[CUTS_MAX];
    struct change at[CUTS_MAX]; /* tested among the neighbours; indices of the series */
    size_t n_cuts;
    double scale; /* of counts: dispersion times inflation */
    struct tail tail;
};

const char *detect_type_name(enum detect_type t)
{
    static const char *const names[] = {"step_change", "trend_change", "spike", "dip", "distribution_change"};
    return names[t];
}

static void copy(struct work *k)
{
    const struct detect_input *in = k->in;
    k->y = lq_alloc((in->n + 1) * sizeof *k->y);
    k->w = lq_alloc((in->n + 1) * sizeof *k->w);
    for (size_t i = 0; i < in->n; i++) {
        k->w[i] = in->w[i] > 0 && isfinite(in->y[i]) ? in->w[i] : 0;
        k->y[i] = k->w[i] > 0 ? in->y[i] : 0;
    }
}

/* Season of values is taken out of them; season of rates goes into the exposure, so that counts stay counts. */
static void without_season(struct work *k, size_t period)
{
    const struct detect_input *in = k->in;
    struct season s;
    if (period < 2 || in->kind == DETECT_SHARE) {
        return;
    }
    double *rate = lq_alloc((in->n + 1) * sizeof *rate);
    for (size_t i = 0; i < in->n; i++) {
        rate[i] = in->kind == DETECT_VALUE ? k->y[i] : k->w[i] > 0 ? k->y[i] / k->w[i] : 0;
    }
    if (season_of(rate, k->w, in->n, period, &s)) {
        if (in->kind == DETECT_VALUE) {
            season_remove(&s, k->y, in->n);
        } else {
            double mean = 0, weight = 0;
            for (size_t i = 0; i < in->n; i++) {
                mean += k->y[i];
                weight += k->w[i];
            }
            for (size_t i = 0; i < in->n; i++) {
                double factor =
                    1 + (s.multiplicative ? s.profile[i % s.period] : s.profile[i % s.period] * weight / mean);
                k->w[i] *= factor > 0.05 ? factor : 0.05;
            }
        }
        season_fini(&s);
    }
    free(rate);
}

static void cuts_of_values(struct work *k)
{
    size_t n = k->in->n;
    double *v = lq_alloc((n + 1) * sizeof *v);
    uint32_t *at = lq_alloc((n + 1) * sizeof *at);
    for (size_t i = 0; i < n; i++) {
        v[i] = k->w[i] > 0 ? k->y[i] : NAN;
    }
    size_t found = changepoints_with(v, n, &sharp, at);
    for (size_t i = 0; i < found && k->n_cuts < CUTS_MAX; i++) {
        k->cuts[k->n_cuts++] = at[i];
    }
    free(v);
    free(at);
}

static bool best(const struct work *k, size_t from, size_t to, struct change *c)
{
    switch (k->in->kind) {
    case DETECT_VALUE:
        return change_best(k->y + from, k->w + from, to - from, c);
    case DETECT_COUNT:
        return change_best_count(k->y + from, k->w + from, to - from, c);
    case DETECT_SHARE:
        break;
    }
    return change_best_share(k->y + from, k->w + from, to - from, c);
}

/* Dispersion times inflation of what the segments leave. */
static double scale_of(const struct work *k, const uint32_t *starts, size_t found)
{
    size_t n = k->in->n;
    bool share = k->in->kind == DETECT_SHARE;
    double *rest = lq_alloc((n + 1) * sizeof *rest), *t = lq_alloc((n + 1) * sizeof *t), rr = 0, tt = 0;
    for (size_t j = 0; j < found; j++) {
        size_t to = j + 1 < found ? starts[j + 1] : n;
        double sum = 0, exposure = 0;
        for (size_t i = starts[j]; i < to; i++) {
            sum += k->y[i];
            exposure += k->w[i];
        }
        double p = exposure > 0 ? sum / exposure : 0, var = p * (share ? 1 - p : 1);
        for (size_t i = starts[j]; i < to; i++) { /* residual rates, of variance dispersion / t */
            t[i] = var > 0 ? k->w[i] : 0;
            rest[i] = t[i] > 0 ? (k->y[i] / t[i] - p) / sqrt(var) : 0;
            rr += rest[i] * rest[i] * t[i] * t[i];
            tt += t[i];
        }
    }
    struct change c;
    double dispersion = tt > 0 && rr > tt ? rr / tt : 1, inflation = change_best(rest, t, n, &c) ? c.inflation : 1;
    free(rest);
    free(t);
    return dispersion * inflation;
}

/* From above: the first scale holds all changes but the best one, so it is too large; each segmentation shows more of
 * them. From below, noise with a memory is cut to pieces, and the pieces look like changes without noise. */
static void cuts_of_counts(struct work *k)
{
    size_t n = k->in->n, found = 0;
    uint32_t *starts = lq_alloc((n + 1) * sizeof *starts);
    struct change c;
    k->scale = best(k, 0, n, &c) ? c.dispersion * c.inflation : 1;
    for (int round = 0; round < 4; round++) {
        struct segment_input in = {
            .model = k->in->kind == DETECT_SHARE ? SEGMENT_SHARE : SEGMENT_COUNT, .n = n, .y = k->y, .w = k->w};
        in.penalty = 3 * log((double)n) * k->scale;
        found = segment(&in, starts, NULL);
        double scale = scale_of(k, starts, found);
        if (scale > 0.9 * k->scale) {
            break;
        }
        k->scale = scale;
    }
    for (size_t i = 1; i < found && k->n_cuts < CUTS_MAX; i++) {
        k->cuts[k->n_cuts++] = starts[i];
    }
    free(starts);
}

static uint32_t cut_before(const struct work *k, size_t i)
{
    return i > 0 ? k->cuts[i - 1] : 0;
}

static uint32_t cut_after(const struct work *k, size_t i)
{
    return i + 1 < k->n_cuts ? k->cuts[i + 1] : (uint32_t)k->in->n;
}

/* The cut among its neighbours. */
static void test_cut(struct work *k, size_t i)
{
    uint32_t from = cut_before(k, i), to = cut_after(k, i), at = k->cuts[i], left = at - from, right = to - at;
    struct change *c = &k->at[i];
    if (left > REACH * right) {
        from = at - REACH * right;
    } else if (right > REACH * left) {
        to = at + REACH * left;
    }
    *c = (struct change){.at = at, .low = at, .high = at, .p = 1};
    if (best(k, from, to, c)) {
        c->at += from;
        c->low += from;
        c->high += from;
        double p = c->p * (double)k->in->n / (double)(to - from);
        c->p = p < 1 ? p : 1;
    }
}

/* -2 log likelihood of points [from, to) over what one point's noise is. */
static double pulse_cost(const struct work *k, double noise, size_t from, size_t to)
{
    static const enum segment_model models[] = {SEGMENT_LEVEL, SEGMENT_COUNT, SEGMENT_SHARE};
    struct segment_input in = {.model = models[k->in->kind], .n = to - from, .y = k->y + from, .w = k->w + from};
    return segment_cost(&in, 0, to - from) / noise;
}

/* In standard deviations of Poisson or binomial noise for rates; as it is for values. */
static double distance(const struct work *k, size_t i)
{
    double m = k->tail.middle, var = m * (k->in->kind == DETECT_SHARE ? 1 - m : 1);
    if (k->in->kind == DETECT_VALUE) {
        return fabs(k->y[i] - m);
    }
    return var > 0 ? fabs(k->y[i] - k->w[i] * m) / sqrt(k->w[i] * var) : 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* w: the points that may be looked at. */
static void fit_tail(struct work *k, const double *w)
{
    size_t n = k->in->n, kept = 0;
    double *d = lq_alloc((n + 1) * sizeof *d), s = 0, t = 0;
    for (size_t i = 0; i < n; i++) {
        if (w[i] > 0) {
            d[kept++] = k->y[i];
            s += k->y[i];
            t += k->w[i];
        }
    }
    k->tail = (struct tail){k->in->kind == DETECT_VALUE ? noise_median(d, kept)
                            : t > 0                     ? s / t
                                                        : 0,
                            INFINITY, 0, TAIL_SHAPE, 0};
    kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (w[i] > 0) {
            d[kept++] = distance(k, i);
        }
    }
    qsort(d, kept, sizeof *d, by_value);
    size_t beyond = kept / 50 > 10 ? kept / 50 : 10;
    if (kept > 4 * beyond) {
        k->tail.bound = d[kept - beyond - 1];
        k->tail.share = (double)beyond / (double)kept;
        double mean = 0, var = 0;
        for (size_t i = kept - beyond; i < kept; i++) {
            mean += (d[i] - k->tail.bound) / (double)beyond;
        }
        for (size_t i = kept - beyond; i < kept; i++) {
            double e = d[i] - k->tail.bound - mean;
            var += e * e / (double)(beyond - 1);
        }
        double ratio = var > 0 ? mean * mean / var : 1, shape = (1 - ratio) / 2;
        k->tail.shape =
            (k->in->kind != DETECT_VALUE && k->scale < 1.3 ? TAIL_SHAPE_COUNTS : TAIL_SHAPE) + (shape > 0 ? shape : 0);
        k->tail.scale = mean * (1 - (shape > 0 ? shape : 0));
    }
    free(d);
}

/* The chance that one point stands so far. */
static double tail_p(const struct tail *t, double x)
{
    return x > t->bound ? (t->scale > 0 ? t->share * pow(1 + t->shape * (x - t->bound) / t->scale, -1 / t->shape) : 0)
                        : 1;
}

static double floored(double p)
{
    return p > 1 ? 1 : p < CHANGE_P_FLOOR ? CHANGE_P_FLOOR : p;
}

/* The chance of the most unusual few points of n: a pulse against what surrounds it, over the noise of the
 * surroundings; no surer than the tail of single points allows (half of the points count as independent). */
static double pulse_p(struct work *k, size_t from, size_t at, size_t end, size_t to)
{
    double noise = k->scale, n = (double)(to - from), len = (double)(end - at), far = 0;
    if (k->in->kind == DETECT_VALUE) {
        double around = pulse_cost(k, 1, from, at) + pulse_cost(k, 1, end, to);
        noise = around / (n - len > 3 ? n - len - 2 : 1);
    }
    double *w = lq_alloc((k->in->n + 1) * sizeof *w);
    memcpy(w, k->w, k->in->n * sizeof *w);
    for (size_t i = at; i < end; i++) {
        w[i] = 0;
    }
    fit_tail(k, w);
    free(w);
    for (size_t i = at; i < end; i++) {
        far += distance(k, i) / len;
    }
    double by_tail = (double)k->in->n * pow(tail_p(&k->tail, far), len > 2 ? len / 2 : 1);
    if (!(noise > 0)) {
        return floored(by_tail);
    }
    double lr = pulse_cost(k, noise, from, to) - pulse_cost(k, noise, from, at) - pulse_cost(k, noise, at, end) -
                pulse_cost(k, noise, end, to);
    double p = (double)k->in->n * len * erfc(sqrt(n * log1p((lr > 0 ? lr : 0) / n) / 2));
    return floored(p > by_tail ? p : by_tail);
}

static double level(const struct work *k, size_t from, size_t to)
{
    double s = 0, t = 0;
    for (size_t i = from; i < to; i++) {
        s += k->in->kind == DETECT_VALUE ? k->w[i] * k->y[i] : k->y[i];
        t += k->w[i];
    }
    return t > 0 ? s / t : 0;
}

static void remove_cut(struct work *k, size_t i)
{
    for (size_t j = i + 1; j < k->n_cuts; j++) {
        k->cuts[j - 1] = k->cuts[j];
        k->at[j - 1] = k->at[j];
    }
    k->n_cuts--;
}

struct list {
    struct detection *out;
    size_t n, cap;
};

static void report(struct list *l, struct detection d)
{
    if (l->n < l->cap) {
        l->out[l->n++] = d;
        return;
    }
    size_t worst = 0;
    for (size_t i = 1; i < l->n; i++) {
        worst = l->out[i].p >= l->out[worst].p ? i : worst;
    }
    if (l->cap > 0 && l->out[worst].p > d.p) {
        l->out[worst] = d;
    }
}

/* Short states that return: reported if sure, and taken out of the series either way, so that they are not two steps.
 */
static void take_pulses(struct work *k, double p_max, struct list *l)
{
    size_t n = k->in->n, most = n / PULSE_SHARE > PULSE_MAX ? n / PULSE_SHARE : PULSE_MAX;
    for (size_t i = 0; i + 1 < k->n_cuts; i++) {
        uint32_t at = k->cuts[i], end = k->cuts[i + 1], from = cut_before(k, i), to = cut_after(k, i + 1);
        if (end - at > most || at - from < end - at || to - end < end - at) {
            continue;
        }
        double before = level(k, from, at), in = level(k, at, end), after = level(k, end, to);
        if (fabs(after - before) > RETURNS * fabs(in - (before + after) / 2)) {
            continue;
        }
        double p = pulse_p(k, from, at, end, to);
        if (p <= p_max) {
            report(l, (struct detection){in > before ? DETECT_SPIKE : DETECT_DIP, at, at, at, end, before, in, p});
        }
        for (uint32_t x = at; x < end; x++) {
            k->w[x] = 0;
            k->y[x] = 0;
        }
        remove_cut(k, i + 1);
        remove_cut(k, i);
        i = i > 0 ? i - 2 : (size_t)-1; /* what stood beside it may be a pulse now */
    }
}

struct lone { /* isolated values in a row */
    size_t at, end, peak;
    double distance;
};

static int furthest_first(const void *a, const void *b)
{
    const struct lone *x = a, *y = b;
    return x->distance != y->distance ? (x->distance > y->distance ? -1 : 1) : x->at < y->at ? -1 : x->at > y->at;
}

static struct lone *lone_values(const struct work *k, const double *kept, size_t *n_lone)
{
    size_t n = k->in->n, cap = 0;
    struct lone *lone = NULL;
    *n_lone = 0;
    for (size_t i = 0; i < n; i++) {
        struct lone x = {i, i, i, 0};
        for (; x.end < n && k->w[x.end] > 0 && kept[x.end] == 0; x.end++) {
            x.peak = distance(k, x.end) > distance(k, x.peak) ? x.end : x.peak;
        }
        if (x.end > i) {
            x.distance = distance(k, x.peak);
            lq_grow(&lone, &cap, *n_lone + 1, sizeof *lone);
            lone[(*n_lone)++] = x;
            i = x.end - 1;
        }
    }
    if (*n_lone > 1) {
        qsort(lone, *n_lone, sizeof *lone, furthest_first);
    }
    return lone;
}

/* Isolated values: none of them is part of a level. The few furthest are tested against the tail of all the others: a
 * series that has many has a heavy tail, and then none of them is news. */
static void take_outliers(struct work *k, double p_max, struct list *l)
{
    enum { FEW = 2 };
    size_t n = k->in->n, n_lone = 0;
    double *kept = lq_alloc((n + 1) * sizeof *kept), *others = lq_alloc((n + 1) * sizeof *others);
    memcpy(kept, k->w, n * sizeof *kept);
    memcpy(others, k->w, n * sizeof *others);
    if (noise_outliers(k->y, kept, n) > 0) {
        fit_tail(k, kept); /* for the middle */
        struct lone *lone = lone_values(k, kept, &n_lone);
        size_t tested = n_lone <= FEW ? n_lone : 1;
        for (size_t i = 0; i < tested; i++) {
            memset(others + lone[i].at, 0, (lone[i].end - lone[i].at) * sizeof *others);
        }
        fit_tail(k, others);
        for (size_t i = 0; i < tested; i++) {
            double p = floored((double)n * tail_p(&k->tail, lone[i].distance)), peak = k->y[lone[i].peak];
            uint32_t at = (uint32_t)lone[i].at;
            if (p <= p_max) {
                report(l, (struct detection){peak > k->tail.middle ? DETECT_SPIKE : DETECT_DIP, at, at, at,
                                             (uint32_t)lone[i].end, k->tail.middle, peak, p});
            }
        }
        free(lone);
    }
    memcpy(k->w, kept, n * sizeof *kept);
    free(kept);
    free(others);
}

static int by_time(const void *a, const void *b)
{
    const struct detection *x = a, *y = b;
    return x->at != y->at ? (x->at < y->at ? -1 : 1) : (int)x->type - (int)y->type;
}

static void steps(struct work *k, double p_max, struct list *l)
{
    for (size_t i = 0; i < k->n_cuts; i++) {
        test_cut(k, i);
    }
    for (;;) {
        size_t worst = k->n_cuts;
        for (size_t i = 0; i < k->n_cuts; i++) {
            if (k->at[i].p > p_max && (worst == k->n_cuts || k->at[i].p > k->at[worst].p)) {
                worst = i;
            }
        }
        if (worst == k->n_cuts) {
            break;
        }
        remove_cut(k, worst);
        if (worst > 0) {
            test_cut(k, worst - 1);
        }
        if (worst < k->n_cuts) {
            test_cut(k, worst);
        }
    }
    for (size_t i = 0; i < k->n_cuts; i++) {
        const struct change *c = &k->at[i];
        struct detection d = {c->shape == SHAPE_KINK ? DETECT_TREND : DETECT_STEP,
                              c->at,
                              c->low,
                              c->high,
                              cut_after(k, i),
                              c->before,
                              c->after,
                              c->p};
        report(l, d);
    }
}

size_t detect(const struct detect_input *in, struct detection *out, size_t cap)
{
    struct work k = {.in = in, .scale = 1};
    struct list l = {out, 0, cap};
    double p_max = in->p_max > 0 ? in->p_max : P_MAX;
    if (detect_quiet(in)) {
        return 0;
    }
    copy(&k);
    without_season(&k, in->day);
    without_season(&k, in->week);
    if (in->kind == DETECT_VALUE) {
        take_outliers(&k, p_max, &l);
        cuts_of_values(&k);
    } else {
        cuts_of_counts(&k);
    }
    take_pulses(&k, p_max, &l);
    steps(&k, p_max, &l);
    qsort(out, l.n, sizeof *out, by_time);
    free(k.y);
    free(k.w);
    return l.n;
}
