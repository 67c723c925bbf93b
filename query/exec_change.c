/*
 * exec_change.c - the stage `change`: change points of each series and column
 *
 * The places come from changepoints() (one generic setting); level, interval and p of each from the best split of the two segments around it. A short
 * segment after which the level returns is a spike or a dip, not two steps. (detect() of change/detect.h was tried in its place: on two hours of failures
 * in six days by 10 minutes it said nothing; why was not looked into.)
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/change_best.h"
#include "query/change/changepoints.h"
#include "query/exec_int.h"

#define CHANGE_P_MAX 0.05 /* of the split itself, among its neighbours */
enum { CHANGE_STEPS_MIN = 8, SPIKE_STEPS_MAX = 3 };

static double mean(const double *y, size_t from, size_t to)
{
    double sum = 0, n = 0;
    for (size_t i = from; i < to; i++) {
        if (!isnan(y[i])) {
            sum += y[i];
            n++;
        }
    }
    return n > 0 ? sum / n : NAN;
}

/* The change at `at` between the segments [from, at) and [at, to). */
static struct series_change describe(const double *y, const double *v, const double *w, size_t from, size_t at, size_t to)
{
    struct change best;
    struct series_change c = {.step = (uint32_t)at, .low = (uint32_t)at, .high = (uint32_t)at, .type = "step_change", .before = mean(y, from, at), .after = mean(y, at, to),
                              .p = NAN};
    if (change_best(v + from, w + from, to - from, &best)) {
        c.p = best.p;
        if (from + best.low <= at && at <= from + best.high) {
            c.low = (uint32_t)(from + best.low);
            c.high = (uint32_t)(from + best.high);
        }
        double first = mean(y, at, at + 2 < to ? at + 2 : to);
        if (best.shape == SHAPE_KINK && fabs(first - c.before) < fabs(first - c.after)) { /* it begins where the level was, and goes on from there */
            c.type = "trend_change";
            c.before = best.before;
            c.after = best.after;
        }
    }
    return c;
}

static void column_changes(struct result *r, struct result_series *s, uint32_t column, double *y, double *v, double *w, uint32_t *at, size_t *cap)
{
    uint32_t n = r->steps;
    for (uint32_t i = 0, k = 0; i < n; i++) {
        bool row = k < s->n && s->step[k] == i;
        y[i] = row ? s->values[(size_t)k * r->n_columns + column] : s->empty[column];
        k += row;
        w[i] = isfinite(y[i]) ? 1 : 0;
        v[i] = w[i] > 0 ? y[i] : 0;
    }
    uint32_t first = r->partial_first ? 1 : 0, last = r->partial_last && n > 1 ? n - 1 : n; /* a cut step is no change */
    size_t found = last > first ? changepoints(y + first, last - first, at) : 0;
    for (size_t i = 0; i < found; i++) {
        at[i] += first;
    }
    for (size_t i = 0; i < found; i++) {
        size_t from = i > 0 ? at[i - 1] : first, to = i + 1 < found ? at[i + 1] : last;
        struct series_change c = describe(y, v, w, from, at[i], to);
        c.column = column;
        if (c.p > CHANGE_P_MAX) {
            continue;
        }
        if (i + 1 < found && to - at[i] <= SPIKE_STEPS_MAX) {
            double later = mean(y, to, i + 2 < found ? at[i + 2] : last);
            if (fabs(later - c.before) < fabs(c.after - c.before) / 2) {
                c.type = c.after > c.before ? "spike" : "dip";
                i++; /* the way back */
            }
        }
        lq_grow(&s->changes, cap, s->n_changes + 1, sizeof *s->changes);
        s->changes[s->n_changes++] = c;
    }
}

enum lq_err exec__changes(struct result *r, const struct budget *b, struct lq_error *e)
{
    uint32_t n = r->steps;
    if (n < CHANGE_STEPS_MIN) {
        lq_buf_printf(&r->notices, "%u steps are too few to look for changes: at least %d (a longer range, or a shorter every)\n", n, CHANGE_STEPS_MIN);
        return LQ_OK;
    }
    enum lq_err err = LQ_OK;
    double *y = lq_alloc(3 * (size_t)n * sizeof *y);
    uint32_t *at = lq_alloc((size_t)n * sizeof *at);
    for (uint32_t i = 0; i < r->n_series && err == LQ_OK; i++) {
        size_t cap = 0;
        for (uint32_t c = 0; c < r->q->n_columns && err == LQ_OK; c++) {
            err = budget_check(b, e);
            column_changes(r, &r->series[i], c, y, y + n, y + 2 * (size_t)n, at, &cap);
        }
    }
    free(at);
    free(y);
    return err;
}
