/*
 * why_onset.c - when did it start? Incidents of the target: found, told from the usual, one of them chosen
 *
 * The target is cut into segments at a coarse step. The quiet level is the share that the calmest seventh of the requests
 * saw (counts: the level of the segment before, after the daily cycle is taken out where two cycles are known). A run
 * of segments well above it is an incident, unless the same rise stands at the same time on the days before: that is
 * the usual. What was so from the beginning did not start. why_refine.c finds the exact time.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/changepoints.h"
#include "query/change/why_onset.h"

enum { COARSE_STEPS = 720, DAY_S = 86400, USUAL_MIN_S = 3600, USUAL_MAX_S = 16 * 3600 };
#define CALM          0.15
#define FIRST         0.03
#define POISSON_SCALE 1000.0 /* a count as successes of so many times more trials: binomial becomes Poisson */

struct seg {
    uint32_t from, to; /* coarse steps */
    double s, w, rate;
};

static int by_rate(const void *a, const void *b)
{
    const struct seg *x = a, *y = b;
    return x->rate != y->rate ? (x->rate < y->rate ? -1 : 1) : x->from < y->from ? -1 : x->from > y->from;
}

/* The level of the calmest requests: one in seven, so that an incident may fill most of the time. Where it fills nearly all
 * of it, what came first is known to be quiet with fewer. */
static double quiet_rate(const struct seg *seg, size_t n, double total, bool value)
{
    struct seg *sorted = lq_alloc((n + 1) * sizeof *sorted);
    double s = 0, w = 0, calm = total * CALM;
    memcpy(sorted, seg, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_rate);
    for (size_t i = 0; i < n && w < calm; i++) {
        double part = w > 0 && sorted[i].w > calm - w ? (calm - w) / sorted[i].w : 1;
        s += sorted[i].s * part;
        w += sorted[i].w * part;
    }
    free(sorted);
    double rate = value ? (w > 0 ? s / w : 0) : (s + 0.5) / (w + 1),
           first = n > 1 && seg[0].w > total * FIRST ? (seg[0].s + 0.5) / (seg[0].w + 1) : rate;
    return !value && first < rate ? first : rate;
}

/* Counts: what the same time of the other days saw, so that the daily cycle is no change. 1 where less than two cycles
 * are known. */
static void expected_counts(const struct target *t, uint32_t k, uint32_t n, const double *num, double *den)
{
    uint32_t day = DAY_S / (uint32_t)(t->step_s * k);
    bool cycles = DAY_S % (t->step_s * k) == 0 && n >= 3 * day;
    double mean = 0;
    for (uint32_t i = 0; i < n; i++) {
        mean += num[i] / n;
    }
    for (uint32_t i = 0; i < n; i++) {
        double v[64];
        size_t m = 0;
        for (uint32_t j = i % day; cycles && j < n && m < 64; j += day) {
            size_t p = m++;
            for (; p > 0 && v[p - 1] > num[j]; p--) {
                v[p] = v[p - 1];
            }
            v[p] = num[j];
        }
        den[i] = m > 0 && v[m / 2] > 0 ? v[m / 2] : cycles ? mean * 0.05 + 1e-3 : mean + 1e-9;
    }
}

struct coarse {
    uint32_t k, n;
    double *s, *w, *seen;
};

static struct coarse coarsen(struct why *y)
{
    const struct target *t = &y->t;
    struct coarse c = {.k = (t->n + COARSE_STEPS - 1) / COARSE_STEPS};
    while (t->kind == TARGET_COUNT && DAY_S % (t->step_s * c.k) != 0 && t->step_s * c.k < DAY_S) {
        c.k++;
    }
    c.n = (t->n + c.k - 1) / c.k;
    c.s = lq_alloc((c.n + 1) * sizeof *c.s);
    c.w = lq_alloc((c.n + 1) * sizeof *c.w);
    c.seen = lq_alloc((c.n + 1) * sizeof *c.seen);
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t j = i / c.k;
        c.s[j] += t->kind == TARGET_VALUE ? t->num[i] * t->den[i] : t->num[i];
        c.w[j] += t->den[i];
        c.seen[j] += t->seen[i];
    }
    if (t->kind == TARGET_COUNT) {
        expected_counts(t, c.k, c.n, c.s, c.w);
    }
    return c;
}

static size_t cut(struct why *y, const struct coarse *c, uint32_t *starts)
{
    double *v = lq_alloc((c->n + 1) * sizeof *v);
    size_t k;
    if (y->t.kind == TARGET_VALUE) {
        for (uint32_t i = 0; i < c->n; i++) {
            v[i] = c->w[i] > 0 ? c->s[i] / c->w[i] : NAN;
        }
        k = changepoints(v, c->n, starts + 1) + 1;
        starts[0] = 0;
        if (k > 1 && starts[1] == 0) { /* the library may name the first segment too */
            memmove(starts, starts + 1, (k - 1) * sizeof *starts);
            k--;
        }
    } else {
        double scale = y->t.kind == TARGET_COUNT ? POISSON_SCALE : 1;
        for (uint32_t i = 0; i < c->n; i++) {
            v[i] = c->w[i] * scale;
        }
        double own = binomial_dispersion(c->s, v, c->n);
        y->dispersion = y->asked > 1 && y->dispersion > own ? y->dispersion : own; /* a part has too little to show all of it */
        k = binomial_segment(c->s, v, c->n, y->dispersion, y->asked, starts);
    }
    free(v);
    return k;
}

static double value_sigma(const struct coarse *c, const struct seg *seg, size_t k)
{
    double rss = 0, w = 0;
    for (size_t i = 0; i < k; i++) {
        for (uint32_t t = seg[i].from; t < seg[i].to; t++) {
            double d = c->w[t] > 0 ? c->s[t] / c->w[t] - seg[i].rate : 0;
            rss += d * d;
            w += c->w[t] > 0;
        }
    }
    return w > 2 ? sqrt(rss / (w - 2)) : 0;
}

/* +1 well above the reference, -1 well below (counts only), 0 the usual. */
static int departs(const struct why *y, const struct seg *s, double ref, double sigma)
{
    if (s->w <= 0 || s->to <= s->from) {
        return 0;
    }
    if (y->t.kind == TARGET_VALUE) {
        return s->rate > 1.25 * ref && s->rate - ref > 4 * sigma / sqrt((double)(s->to - s->from)) &&
                       s->rate - ref > sigma
                   ? 1
                   : 0;
    }
    double expected = s->w * ref,
           z = (s->s - expected) / sqrt(y->dispersion * (expected * (y->t.kind == TARGET_SHARE ? 1 - ref : 1) + 1));
    if (y->t.kind == TARGET_COUNT) {
        return s->rate < 0.6 * ref && z < -5 ? -1 : s->rate > 1.6 * ref && z > 5 ? 1 : 0;
    }
    return s->rate > 1.5 * ref + 1e-9 && z > sqrt(25 + 2 * log(y->asked)) ? 1 : 0;
}

static void add_incident(struct why *y, const struct coarse *c, const struct seg *seg, size_t i, size_t j, size_t k,
                         double ref, int sign)
{
    if (y->n_incidents == INCIDENTS_MAX) { /* keep the newest */
        memmove(y->incidents, y->incidents + 1, (INCIDENTS_MAX - 1) * sizeof *y->incidents);
        y->n_incidents--;
    }
    struct incident *x = &y->incidents[y->n_incidents++];
    double s = 0, w = 0, bs = 0, bw = 0, peak = seg[i].rate;
    for (size_t m = i; m < j; m++) {
        s += seg[m].s;
        w += seg[m].w;
        peak = sign > 0 ? (seg[m].rate > peak ? seg[m].rate : peak) : seg[m].rate < peak ? seg[m].rate : peak;
    }
    for (size_t m = 0; m < i; m++) { /* before: what was usual, other incidents left out */
        if (departs(y, &seg[m], ref, 0) == 0) {
            bs += seg[m].s;
            bw += seg[m].w;
        }
    }
    bool ends = j < k;
    *x = (struct incident){.from = seg[i].from * c->k,
                           .to = ends ? seg[j].from * c->k : y->t.n,
                           .falling = sign < 0,
                           .ongoing = !ends,
                           .peak = peak};
    x->before = bw > 0 ? bs / bw : ref;
    x->after = w > 0 ? s / w : 0;
    x->excess = fabs(s - w * ref);
    x->p = CHANGE_P_FLOOR;
}

static void find_runs(struct why *y, const struct coarse *c, const struct seg *seg, size_t k)
{
    double total = 0, sigma = 0;
    for (size_t i = 0; i < k; i++) {
        total += seg[i].w;
    }
    y->quiet = quiet_rate(seg, k, total, y->t.kind == TARGET_VALUE);
    if (y->t.kind == TARGET_VALUE) {
        sigma = value_sigma(c, seg, k);
        y->dispersion = 1;
    }
    double mean = total > 0 ? total / c->n : 0;
    y->a->smallest_rise =
        y->t.kind == TARGET_SHARE
            ? fmax(1.5 * y->quiet, y->quiet + 5 * sqrt(y->dispersion * (y->quiet * (1 - y->quiet) / (mean * 6 + 1) +
                                                                        1 / ((mean * 6 + 1) * (mean * 6 + 1)))))
        : y->t.kind == TARGET_COUNT ? 1.6 * y->quiet
                                    : fmax(1.25 * y->quiet, y->quiet + 2 * sigma);
    y->a->smallest_rise = y->t.kind == TARGET_SHARE && y->a->smallest_rise > 1 ? 1 : y->a->smallest_rise;
    bool counts = y->t.kind == TARGET_COUNT, high = k > 0 && !counts && departs(y, &seg[0], y->quiet, sigma) > 0;
    double ref = (counts || high) && k > 0 ? seg[0].rate : y->quiet;
    for (size_t i = 0; i < k; i++) {
        if (high && departs(y, &seg[i], y->quiet, sigma) == 0) { /* what was so from the beginning ended */
            high = false;
            ref = y->quiet;
        }
        int sign = departs(y, &seg[i], ref, sigma);
        if (sign == 0) {
            ref = counts ? seg[i].rate : ref;
            continue;
        }
        size_t j = i + 1; /* a short lull does not end it */
        while (j < k && (departs(y, &seg[j], ref, sigma) == sign ||
                         (seg[j].to - seg[j].from < 3 && j + 1 < k && departs(y, &seg[j + 1], ref, sigma) == sign))) {
            j++;
        }
        add_incident(y, c, seg, i, j, k, ref, sign);
        i = j - 1;
    }
}

static void sum_between(const struct target *t, int64_t from_s, int64_t to_s, double *s, double *w)
{
    int64_t i = (from_s - t->from_s) / t->step_s, j = (to_s - t->from_s) / t->step_s;
    *s = *w = 0;
    for (i = i < 0 ? 0 : i; i < j && i < t->n; i++) {
        *s += t->num[i];
        *w += t->den[i];
    }
}

/*
 * The other days had about the same at about the same time, from the first day on: the usual, not an incident. Failures
 * are few, so the days count together; most of them must show it, and the first of them. What lasts less than an hour and
 * repeats is a job, and that is an incident.
 */
static bool is_usual(struct why *y, const struct incident *x)
{
    const struct target *t = &y->t;
    int64_t from = t->from_s + (int64_t)x->from * t->step_s, to = t->from_s + (int64_t)x->to * t->step_s,
            end = t->from_s + (int64_t)t->n * t->step_s, days = 0, alike = 0;
    if (t->kind != TARGET_SHARE || to - from < USUAL_MIN_S || to - from > USUAL_MAX_S) {
        return false;
    }
    double s, w, all_s = 0, all_w = 0;
    bool first = false;
    sum_between(t, from, to, &s, &w);
    double excess = w > 0 ? s / w - y->quiet : 0;
    for (int64_t at = from - (from - t->from_s) / DAY_S * DAY_S; at + (to - from) <= end; at += DAY_S) {
        sum_between(t, at, at + (to - from), &s, &w);
        if (at == from || w <= 0) {
            continue;
        }
        bool is = s / w > 1.5 * y->quiet && s / w - y->quiet > 0.4 * excess;
        first = days == 0 ? is : first;
        days++;
        alike += is;
        all_s += s;
        all_w += w;
    }
    double noise = sqrt(y->dispersion * (all_w * y->quiet + 1));
    return first && alike * 3 >= days * 2 && all_s / all_w - y->quiet > 0.5 * excess &&
           all_s - all_w * y->quiet > 3 * noise;
}

static void drop_usual(struct why *y)
{
    uint32_t kept = 0, dropped = 0;
    for (uint32_t i = 0; i < y->n_incidents; i++) {
        if (is_usual(y, &y->incidents[i])) {
            dropped++;
        } else {
            y->incidents[kept++] = y->incidents[i];
        }
    }
    y->n_incidents = kept;
    if (dropped > 0 && y->asked <= 1) {
        why__notice(y->a, "at some hours of each day more fails than at others; that is taken as usual");
    }
}

/* The most severe recent one; one that --onset names. */
static void choose(struct why *y)
{
    const struct target *t = &y->t;
    double best = -1;
    int64_t end_us = (t->from_s + (int64_t)t->n * t->step_s) * US, near = INT64_MAX;
    for (uint32_t i = 0; i < y->n_incidents; i++) {
        struct incident *x = &y->incidents[i];
        int64_t over_us = end_us - (t->from_s + (int64_t)x->to * t->step_s) * US,
                start = (t->from_s + (int64_t)x->from * t->step_s) * US;
        x->severity = x->excess * pow(0.5, (double)(over_us < 0 ? 0 : over_us) / 86400e6 / 3);
        bool in = start >= y->o->from_us && start < y->o->to_us;
        x->severity *= in ? 1 : 1e-6;
        x->severity *= y->o->recent_us > 0 && over_us > y->o->recent_us ? 1e-3 : 1;
        if (y->o->onset_us != INT64_MIN) {
            int64_t gap = start > y->o->onset_us ? start - y->o->onset_us : y->o->onset_us - start;
            if (gap < near) {
                near = gap;
                y->chosen = i;
            }
        } else if (x->severity > best) {
            best = x->severity;
            y->chosen = i;
        }
    }
}

/* --onset far from any incident: taken at its word. */
static void given_onset(struct why *y)
{
    const struct target *t = &y->t;
    int64_t at = (y->o->onset_us / US - t->from_s) / t->step_s;
    const struct incident *near = y->n_incidents > 0 ? why__incident(y) : NULL;
    int64_t gap = near != NULL ? llabs(near->time_us - y->o->onset_us) : INT64_MAX;
    if (near != NULL && gap <= 3600 * US) {
        struct incident *x = &y->incidents[y->chosen];
        x->low_us = x->low_us < y->o->onset_us ? x->low_us : y->o->onset_us;
        x->high_us = x->high_us > y->o->onset_us ? x->high_us : y->o->onset_us;
        x->time_us = y->o->onset_us;
        return;
    }
    y->n_incidents = y->n_incidents == INCIDENTS_MAX ? INCIDENTS_MAX - 1 : y->n_incidents;
    y->chosen = y->n_incidents++;
    struct incident *x = &y->incidents[y->chosen];
    uint32_t from = at < 0 ? 0 : at >= t->n ? t->n - 1 : (uint32_t)at;
    double s, w;
    *x = (struct incident){.from = from, .to = t->n, .ongoing = true, .type = "step_change", .p = 1};
    x->time_us = y->o->onset_us;
    x->low_us = x->time_us - t->step_s * US;
    x->high_us = x->time_us + t->step_s * US;
    x->end_us = INT64_MAX;
    sum_between(t, t->from_s, x->time_us / US, &s, &w);
    x->before = w > 0 ? s / w : 0;
    sum_between(t, x->time_us / US, t->from_s + (int64_t)t->n * t->step_s, &s, &w);
    x->after = w > 0 ? s / w : 0;
}

uint32_t why__incidents(struct why *y, double asked)
{
    y->asked = asked;
    struct coarse c = coarsen(y);
    uint32_t *starts = lq_alloc((c.n + 2) * sizeof *starts);
    size_t k = c.n > 0 ? cut(y, &c, starts) : 0;
    struct seg *seg = lq_alloc((k + 1) * sizeof *seg);
    for (size_t i = 0; i < k; i++) {
        seg[i].from = starts[i];
        seg[i].to = i + 1 < k ? starts[i + 1] : c.n;
        for (uint32_t j = seg[i].from; j < seg[i].to; j++) {
            seg[i].s += c.s[j];
            seg[i].w += c.w[j];
        }
        seg[i].rate = seg[i].w > 0 ? seg[i].s / seg[i].w : 0;
    }
    find_runs(y, &c, seg, k);
    drop_usual(y);
    free(seg);
    free(starts);
    free(c.s);
    free(c.w);
    free(c.seen);
    return c.k;
}

bool why__find_onset(struct why *y)
{
    uint32_t k = why__incidents(y, 1);
    if (y->n_incidents == 0 && y->t.kind == TARGET_SHARE) {
        y->n_incidents = why__slow_rise(y, &y->incidents[0]);
    }
    for (uint32_t i = 0; i < y->n_incidents; i++) {
        why__refine(y, &y->incidents[i], k);
    }
    choose(y);
    if (y->o->onset_us != INT64_MIN) {
        given_onset(y);
    } else {
        why__look_closer(y);
    }
    return y->n_incidents > 0 && (y->o->onset_us != INT64_MIN || why__incident(y)->severity >= 0);
}
