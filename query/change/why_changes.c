/*
 * why_changes.c - what moved before the onset: every series tested once, one false discovery rate over all
 *
 * Only the time before the onset is looked at: what moves with or after the errors is their effect. Volumes are tested as shares of
 * their stream (season cancels), latencies as the mean of their logarithm. New and vanished values: the chance that all k records
 * fall into the part of the time where they were seen.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/why_int.h"

enum { RECORDS_MIN = 8, NOVEL_MIN = 4 };
#define FDR 0.05

static struct finding *add_finding(struct why *y, const struct grid_stream *st, const struct grid_series *x, const char *metric)
{
    lq_grow(&y->findings, &y->cap_findings, y->n_findings + 1, sizeof *y->findings);
    struct finding *f = &y->findings[y->n_findings++];
    *f = (struct finding){.stream = st, .series = x, .metric = metric, .event = -1, .p = 1};
    return f;
}

/* A few steps before the onset are left out: the rise may have begun within them. */
static uint32_t before_onset(const struct why *y)
{
    return y->onset_step > 1 ? y->onset_step - 1 : 0;
}

static void keep(struct why *y, struct finding *f)
{
    f->when = f->c.at;
    f->p = f->c.p;
    f->time_us = grid_time_us(&y->g, f->c.at);
    f->low_us = grid_time_us(&y->g, f->c.low > 0 ? f->c.low - 1 : 0);
    f->high_us = grid_time_us(&y->g, f->c.high + 1);
}

/* A share of its whole; weighted by the whole, its variance is the same in every step as long as nothing changes. */
static void test_share(struct why *y, const struct grid_stream *st, const struct grid_series *x, const float *part, const float *whole, const char *metric)
{
    uint32_t n = before_onset(y);
    double sum = 0, all = 0;
    for (uint32_t t = 0; t < n; t++) {
        sum += (double)part[t];
        all += (double)whole[t];
        y->w[t] = (double)whole[t];
        y->y[t] = whole[t] > 0 ? (double)part[t] / (double)whole[t] : 0;
    }
    if (sum < RECORDS_MIN * 4 || sum > all - RECORDS_MIN) {
        return;
    }
    struct change c;
    if (change_best(y->y, y->w, n, &c)) {
        double least = 1 / all;
        struct finding *f = add_finding(y, st, x, metric);
        f->c = c;
        f->c.before = c.before > least ? c.before : least;
        f->c.after = c.after > least ? c.after : least;
        keep(y, f);
        if (fabs(log(f->c.after / f->c.before)) < 0.15) {
            f->p = 1; /* sure, but too small to matter */
        }
    }
}

/* The p of the same question about the difference from the stream's own mean: a host that only follows its stream did not change. */
static double apart_from_total(struct why *y, const struct grid_stream *st, uint32_t m, uint32_t n)
{
    struct change c;
    for (uint32_t t = 0; t < n; t++) {
        double k = (double)st->total.log_n[m][t];
        y->y[t] -= k > 0 ? (double)st->total.log_sum[m][t] / k : 0;
    }
    return change_best(y->y, y->w, n, &c) ? c.p : 1;
}

static void test_measure(struct why *y, const struct grid_stream *st, const struct grid_series *x, uint32_t m)
{
    uint32_t n = before_onset(y);
    double seen = 0;
    for (uint32_t t = 0; t < n; t++) {
        double k = (double)x->log_n[m][t];
        y->w[t] = k;
        y->y[t] = k > 0 ? (double)x->log_sum[m][t] / k : 0;
        seen += k;
    }
    struct change c;
    if (seen >= 200 && change_best(y->y, y->w, n, &c)) {
        struct finding *f = add_finding(y, st, x, st->info->schema->measures[m].name);
        double scale = (double)st->info->schema->measures[m].scale;
        f->c = c;
        f->harmful = c.after > c.before;
        f->c.before = expm1(c.before) / scale;
        f->c.after = expm1(c.after) / scale;
        keep(y, f);
        if (fabs(c.after - c.before) < 0.04) {
            f->p = 1;
        } else if (x != &st->total) {
            double p = apart_from_total(y, st, m, n);
            f->p = p > f->p ? p : f->p;
        }
    }
}

/* Seen first, or last, inside the range. */
static void test_presence(struct why *y, const struct grid_stream *st, const struct grid_series *x)
{
    uint32_t n = before_onset(y), first = UINT32_MAX, last = 0, steps = 0;
    double k = 0, whole = 0, in = 0;
    for (uint32_t t = 0; t < n; t++) {
        whole += (double)st->total.count[t];
        if (x->count[t] > 0) {
            first = first == UINT32_MAX ? t : first;
            last = t;
            steps++;
            k += (double)x->count[t];
        }
    }
    if (first == UINT32_MAX || k < NOVEL_MIN || whole <= 0) {
        return;
    }
    for (uint32_t t = first; t < n; t++) {
        in += (double)st->total.count[t];
    }
    double trials = steps < k ? steps : k; /* records of one step are not independent */
    double p_new = pow(in / whole, trials - 1);
    double out = 0;
    for (uint32_t t = 0; t <= last; t++) {
        out += (double)st->total.count[t];
    }
    double p_gone = pow(out / whole, trials - 1);
    bool novel = p_new <= p_gone;
    struct finding *f = add_finding(y, st, x, "count");
    f->novel = novel;
    f->gone = !novel;
    f->p = novel ? p_new : p_gone;
    f->p = f->p < CHANGE_P_FLOOR ? CHANGE_P_FLOOR : f->p;
    f->when = novel ? first : last + 1;
    f->time_us = novel ? snapshot_value(y->s, st->info->id, x->dim, x->value)->first_us : grid_time_us(&y->g, last + 1);
    f->low_us = f->time_us;
    f->high_us = f->time_us;
    if (novel && n > 0 && first == 0) {
        f->p = 1;
    }
    f->c.before = novel ? 0 : k / (last + 1) ;
    f->c.after = novel ? k / (n - first) : 0;
    f->c.at = (uint32_t)f->when;
}

static void test_stream(struct why *y, const struct grid_stream *st)
{
    const struct stream_schema *s = st->info->schema;
    if (st == y->target) {
        test_share(y, st, &st->total, st->total.errors, st->total.count, "errors");
    }
    for (uint32_t m = 0; m < s->n_measures; m++) {
        test_measure(y, st, &st->total, m);
    }
    for (uint32_t i = 0; i < st->n_series; i++) {
        const struct grid_series *x = &st->series[i];
        if (x->dim == DIM_VERSION) {
            continue; /* events of their own */
        }
        test_presence(y, st, x);
        test_share(y, st, x, x->count, st->total.count, "count");
        if (st == y->target) {
            test_share(y, st, x, x->errors, x->count, "errors");
        }
        for (uint32_t m = 0; m < s->n_measures && x->log_sum[m] != NULL; m++) {
            test_measure(y, st, x, m);
        }
    }
}

void why__find_changes(struct why *y)
{
    y->y = lq_alloc((y->g.steps + 1) * sizeof *y->y);
    y->w = lq_alloc((y->g.steps + 1) * sizeof *y->w);
    for (uint32_t i = 0; i < y->g.n_streams; i++) {
        test_stream(y, &y->g.streams[i]);
    }
    double *p = lq_alloc((y->n_findings + 1) * sizeof *p);
    bool *accepted = lq_alloc(y->n_findings + 1);
    for (size_t i = 0; i < y->n_findings; i++) {
        p[i] = y->findings[i].p;
    }
    y->a->fdr = FDR;
    y->a->tested = y->n_findings;
    y->a->moved = benjamini_hochberg(p, y->n_findings, FDR, accepted);
    for (size_t i = 0; i < y->n_findings; i++) {
        y->findings[i].accepted = accepted[i];
    }
    free(p);
    free(accepted);
    free(y->y);
    free(y->w);
}
