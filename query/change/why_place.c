/*
 * why_place.c - where it fails: what moved there before?
 *
 * One host has most of the new errors. Its own measures are asked once more: by minutes in the hours before the onset,
 * and before those by the steps of the last quarter of the days. A change of one place in many drowns in the stream, and
 * shortly before the end of a long range no test of the whole range looks. What all places did at the same time does
 * not count. A change that is found is looked for again before it: the first one is what began. Its time is the middle of
 * the posterior under a flat prior, at once or along a line: the likeliest bend of a logarithm lies too early.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/why_int.h"

enum { STEPS_MIN = 24, RECORDS_MIN = 40, DEPTH_MAX = 4, FAR_PART = 4, EDGE = 2 };
#define SHARE_MIN 0.7  /* of the new errors */
#define PLACE_P   1e-3
#define ROSE      0.15 /* of the logarithm */
#define LEAST     1e-12 /* variance of a record */

struct step {
    int64_t from_us, to_us;
    double sum[2], n[2]; /* of logarithms: of the place, of all others */
};

struct asked { /* one measure of one place */
    uint32_t stream, dim, value, measure;
    struct step *steps;
    uint32_t n;
};

static void take_steps(struct asked *q, const struct grid *g, int64_t from_us, int64_t to_us)
{
    const struct grid_stream *st = &g->streams[q->stream];
    const struct grid_series *here = NULL, *all = &st->total;
    uint32_t m = q->measure;
    for (uint32_t i = 0; i < st->n_series; i++) {
        bool it = st->series[i].dim == q->dim && st->series[i].value == q->value && st->series[i].log_sum[m] != NULL;
        here = it ? &st->series[i] : here;
    }
    for (uint32_t t = 0; t < g->steps && here != NULL; t++) {
        struct step x = {.from_us = grid_time_us(g, t), .to_us = grid_time_us(g, t + 1)};
        if (x.from_us >= from_us && x.to_us <= to_us) {
            x.n[0] = (double)here->log_n[m][t];
            x.n[1] = (double)all->log_n[m][t] - x.n[0];
            x.sum[0] = here->log_sum[m][t] / GRID_LOG_UNIT;
            x.sum[1] = all->log_sum[m][t] / GRID_LOG_UNIT - x.sum[0];
            q->steps[q->n++] = x;
        }
    }
}

static double mean_log(const struct asked *q, int others, uint32_t from, uint32_t to)
{
    double sum = 0, n = 0;
    for (uint32_t t = from; t < to; t++) {
        sum += q->steps[t].sum[others];
        n += q->steps[t].n[others];
    }
    return n > 0 ? sum / n : 0;
}

static double take_values(struct why *y, const struct asked *q, uint32_t n)
{
    double records = 0;
    for (uint32_t t = 0; t < n; t++) {
        y->w[t] = q->steps[t].n[0];
        y->y[t] = y->w[t] > 0 ? q->steps[t].sum[0] / y->w[t] : 0;
        records += y->w[t];
    }
    return records;
}

/* The best rise of the first `n` steps, at least half of which is of this place alone. */
static bool best_rise(struct why *y, const struct asked *q, uint32_t n, struct change *out)
{
    double records = take_values(y, q, n);
    if (n < STEPS_MIN || records < RECORDS_MIN || !change_best(y->y, y->w, n, out) || out->p > PLACE_P) {
        return false;
    }
    out->before = mean_log(q, 0, 0, out->at);
    out->after = mean_log(q, 0, out->at, n);
    double rose = out->after - out->before, others = mean_log(q, 1, out->at, n) - mean_log(q, 1, 0, out->at);
    return rose > ROSE && others < rose / 2;
}

/* What rose first, within how many steps: before a rise it is looked for once more. 0: nothing did. */
static uint32_t first_rise(struct why *y, const struct asked *q, struct change *out)
{
    struct change c;
    uint32_t n = q->n, within = 0;
    for (int depth = 0; depth < DEPTH_MAX && best_rise(y, q, n, &c); depth++) {
        *out = c;
        within = n;
        n = c.low;
    }
    return within;
}

struct fit { /* weighted squares that are left */
    double at_once, growing;
};

/* A rise that begins with step `at`: at once, or along a straight line up to so many times the level of before. */
static struct fit fit_at(const struct why *y, const struct asked *q, uint32_t at, uint32_t n)
{
    static const double times[] = {1.25, 1.6, 2, 2.5, 3.2, 5, 8, 16, 40};
    double w[2] = {0, 0}, s[2] = {0, 0}, ss = 0, begin = (double)q->steps[at].from_us,
           span = (double)q->steps[n - 1].to_us - begin;
    for (uint32_t t = 0; t < n; t++) {
        w[t >= at] += y->w[t];
        s[t >= at] += y->w[t] * y->y[t];
        ss += y->w[t] * y->y[t] * y->y[t];
    }
    struct fit r = {ss - (w[0] > 0 ? s[0] * s[0] / w[0] : 0) - (w[1] > 0 ? s[1] * s[1] / w[1] : 0), INFINITY};
    for (size_t k = 0; k < sizeof times / sizeof times[0]; k++) {
        double f = 0, ff = 0, fy = 0;
        for (uint32_t t = at; t < n; t++) {
            double middle = ((double)q->steps[t].from_us + (double)q->steps[t].to_us) / 2,
                   x = log1p((times[k] - 1) * (middle - begin) / span);
            f += y->w[t] * x;
            ff += y->w[t] * x * x;
            fy += y->w[t] * x * y->y[t];
        }
        double level = (s[0] + s[1] - f) / (w[0] + w[1]), left = ss - 2 * fy + ff - level * level * (w[0] + w[1]);
        r.growing = left < r.growing ? left : r.growing;
    }
    return r;
}

/* When it began: the middle of what is likely, and nineteen twentieths of it. */
static void date(struct why *y, const struct asked *q, uint32_t n, const struct change *c, struct finding *f)
{
    double *likely = lq_alloc(n * sizeof *likely), least = INFINITY, sum = 0, records = 0, kinds[2] = {0, 0};
    struct fit *fits = lq_alloc(n * sizeof *fits);
    for (uint32_t t = EDGE; t + EDGE < n; t++) {
        fits[t] = fit_at(y, q, t, n);
        least = fmin(least, fmin(fits[t].at_once, fits[t].growing));
        records += y->w[t];
    }
    least = fmax(least, LEAST * records); /* where nothing varies */
    double each = 2 * least / records * (c->inflation > 1 ? c->inflation : 1); /* of one record, twice the variance */
    for (uint32_t t = EDGE; t + EDGE < n; t++) {
        double once = fmax(fits[t].at_once, least), grows = fmax(fits[t].growing, least),
               width = (double)(q->steps[t].to_us - q->steps[t].from_us) / 6e7,
               at_once = exp((least - once) / each) * width,
               growing = exp((least - grows) / each) * width;
        kinds[0] += at_once;
        kinds[1] += growing;
        likely[t] = at_once + growing;
        sum += likely[t];
    }
    double so_far = 0;
    f->time_us = f->low_us = f->high_us = 0;
    for (uint32_t t = EDGE; t + EDGE < n; t++) {
        so_far += likely[t];
        f->low_us = f->low_us == 0 && so_far >= 0.025 * sum ? q->steps[t].from_us : f->low_us;
        f->time_us = f->time_us == 0 && so_far >= 0.5 * sum ? q->steps[t].from_us : f->time_us;
        f->high_us = f->high_us == 0 && so_far >= 0.975 * sum ? q->steps[t].to_us : f->high_us;
    }
    f->shape = kinds[1] > kinds[0] ? FINDING_TREND : FINDING_STEP;
    free(likely);
    free(fits);
}

static double scale_of(const struct why *y, const struct finding *f)
{
    return (double)why__info(y, f->stream)->schema->measures[f->measure].scale;
}

static int64_t asked_from(const struct why *y, int64_t until_us)
{
    return until_us - (until_us - y->a->from_us) / FAR_PART;
}

static void ask(struct why *y, struct asked *q, int64_t until_us)
{
    const struct incident *x = why__incident(y);
    int64_t near_us = grid_time_us(&y->near, 0);
    struct change c;
    uint32_t n;
    q->n = 0;
    take_steps(q, &y->far, asked_from(y, until_us), near_us);
    take_steps(q, &y->near, near_us, until_us);
    if ((n = first_rise(y, q, &c)) == 0) {
        return;
    }
    struct finding *f = why__add_finding(y, q->stream, q->dim, q->value);
    f->here = true;
    f->metric = METRIC_MEASURE;
    f->measure = q->measure;
    f->before = expm1(c.before) / scale_of(y, f);
    f->after = expm1(c.after) / scale_of(y, f);
    f->p = c.p;
    f->stat = c.stat;
    take_values(y, q, n);
    date(y, q, n, &c, f);
    f->near = f->time_us >= near_us;
    f->at_onset = f->high_us >= x->low_us - y->near.step_s * US;
}

void why__place_findings(struct why *y)
{
    const struct why_answer *a = y->a;
    const struct incident *x = why__incident(y);
    struct asked q = {.steps = lq_alloc((y->far.steps + y->near.steps + 1) * sizeof *q.steps)};
    why__alloc_scratch(y, y->far.steps + y->near.steps);
    for (uint32_t k = 0; k < a->n_where; k++) {
        const struct why_where *w = &a->where[k];
        bool one = w->share >= SHARE_MIN && why__is_place(w->subject.dim[0]);
        for (q.stream = 0; q.stream < y->near.n_streams && one; q.stream++) {
            const struct stream_info *info = why__info(y, q.stream);
            for (q.dim = DIM_HOST; q.dim < info->schema->n_dims && !why__over(y); q.dim++) {
                q.value = strcmp(info->schema->dims[q.dim], w->subject.dim[0]) == 0
                              ? snapshot_value_id(y->s, info->id, q.dim, lq_str_of(w->subject.value[0]))
                              : UINT32_MAX;
                for (q.measure = 0; q.measure < info->schema->n_measures && q.value != UINT32_MAX; q.measure++) {
                    ask(y, &q, x->time_us); /* both: failures within the interval may hide what led to them */
                    ask(y, &q, x->low_us);
                }
            }
        }
    }
    why__free_scratch(y);
    free(q.steps);
}

/* What rose in the whole stream did so because this place did: of all others less than half is left. */
static bool is_of_place(const struct why *y, const struct finding *f, const struct finding *whole)
{
    const struct grid *g = whole->near ? &y->near : &y->far;
    struct asked q = {.stream = f->stream, .dim = f->dim, .value = f->value, .measure = f->measure};
    int64_t onset_us = why__incident(y)->time_us;
    q.steps = lq_alloc((g->steps + 1) * sizeof *q.steps);
    take_steps(&q, g, asked_from(y, onset_us), onset_us);
    uint32_t at = 0;
    while (at < q.n && q.steps[at].from_us < whole->time_us) {
        at++;
    }
    bool here = at > 0 && at < q.n &&
                (mean_log(&q, 1, at, q.n) - mean_log(&q, 1, 0, at)) * 2 <
                    log1p(whole->after * scale_of(y, f)) - log1p(whole->before * scale_of(y, f));
    free(q.steps);
    return here;
}

/* What was found about the whole range, or about all places, is the same rise of this place, seen less exactly. */
void why__drop_inexact(struct why *y)
{
    int64_t from_us = asked_from(y, why__incident(y)->low_us);
    for (size_t i = 0; i < y->n_findings; i++) {
        const struct finding *f = &y->findings[i];
        for (size_t k = 0; k < y->n_findings && f->here && f->accepted && !f->at_onset; k++) {
            struct finding *b = &y->findings[k];
            bool about = b != f && b->accepted && b->metric == METRIC_MEASURE && b->stream == f->stream &&
                         b->measure == f->measure && b->after > b->before,
                 same = about && b->dim == f->dim && b->value == f->value &&
                        (b->here ? b->time_us > f->time_us : b->time_us > from_us),
                 whole = about && b->dim == NO_DIM && b->time_us > f->low_us && is_of_place(y, f, b);
            b->accepted = b->accepted && !same && !whole;
        }
    }
}
