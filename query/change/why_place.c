/*
 * why_place.c - where it fails: what moved there before?
 *
 * One host has most of the new errors. Its own measures are asked once more, by minutes in the hours before the
 * onset and, farther back, in the last quarter of the days: a change of one place in many drowns in the stream, and
 * shortly before the end of a long range no test of the whole range looks. What all places did at the same time is
 * taken out. A change that is found is looked for again before it: the first one is what began.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/why_int.h"

enum { STEPS_MIN = 24, RECORDS_MIN = 40, DEPTH_MAX = 4, FAR_PART = 4, SAME_S = 2 * 3600 };
#define SHARE_MIN 0.7  /* of the new errors */
#define PLACE_P   1e-3
#define ROSE      0.15 /* of the logarithm */

struct asked { /* one measure of one place, on one grid */
    const struct grid *g;
    uint32_t stream, measure;
    const struct grid_series *x;
};

static double mean_log(const struct asked *q, uint32_t from, uint32_t to)
{
    double sum = 0, n = 0;
    for (uint32_t t = from; t < to; t++) {
        sum += q->x->log_sum[q->measure][t] / GRID_LOG_UNIT;
        n += (double)q->x->log_n[q->measure][t];
    }
    return n > 0 ? sum / n : 0;
}

/* The best rise of [from, to) against what the other places did. */
static bool best_rise(struct why *y, const struct asked *q, uint32_t from, uint32_t to, struct change *out)
{
    const struct grid_series *all = &q->g->streams[q->stream].total;
    uint32_t m = q->measure;
    double n = 0;
    for (uint32_t t = from; t < to; t++) {
        double here = (double)q->x->log_n[m][t], others = (double)all->log_n[m][t] - here,
               rest = (all->log_sum[m][t] - q->x->log_sum[m][t]) / GRID_LOG_UNIT;
        y->w[t] = others > 0 ? here * others / (here + others) : 0; /* 1 / variance of a difference */
        y->y[t] = others > 0 ? grid_mean_log(q->x, m, t) - rest / others : 0;
        n += here;
    }
    return n >= RECORDS_MIN && change_best(y->y + from, y->w + from, to - from, out) && out->p < PLACE_P &&
           out->after - out->before > ROSE;
}

/* The first rise before step `to`: what rose before a rise is looked for once more. */
static bool first_rise(struct why *y, const struct asked *q, uint32_t from, uint32_t to, struct change *out)
{
    struct change c;
    bool found = false;
    for (int depth = 0; depth < DEPTH_MAX && to >= from + STEPS_MIN && best_rise(y, q, from, to, &c); depth++) {
        c.at += from;
        c.low += from;
        c.high += from;
        c.before = mean_log(q, from, c.at);
        c.after = mean_log(q, c.at, to);
        if (c.after - c.before < ROSE) {
            break;
        }
        *out = c;
        found = true;
        to = c.low;
    }
    return found;
}

static bool ask(struct why *y, const struct asked *q, uint32_t from, uint32_t to)
{
    const struct incident *x = why__incident(y);
    const struct grid *g = q->g;
    struct change c;
    if (!first_rise(y, q, from, to, &c)) {
        return false;
    }
    double scale = (double)why__info(y, q->stream)->schema->measures[q->measure].scale;
    struct finding *f = why__add_finding(y, q->stream, q->x->dim, q->x->value);
    f->here = true;
    f->near = g == &y->near;
    f->shape = c.shape == SHAPE_KINK ? FINDING_TREND : FINDING_STEP;
    f->metric = METRIC_MEASURE;
    f->measure = q->measure;
    f->before = expm1(c.before) / scale;
    f->after = expm1(c.after) / scale;
    f->p = c.p;
    f->stat = c.stat;
    f->time_us = grid_time_us(g, c.at);
    f->low_us = grid_time_us(g, c.low);
    f->high_us = grid_time_us(g, c.high + 1);
    f->at_onset = f->high_us >= x->low_us - g->step_s * US;
    return true;
}

static void ask_place(struct why *y, uint32_t stream, const struct why_subject *place)
{
    const struct incident *x = why__incident(y);
    const struct stream_schema *s = why__info(y, stream)->schema;
    const struct grid *const grids[] = {&y->near, &y->far};
    for (uint32_t m = 0; m < s->n_measures; m++) {
        bool found = false;
        for (int k = 0; k < 2 && !found && !why__over(y); k++) {
            const struct grid_stream *st = &grids[k]->streams[stream];
            for (uint32_t i = 0; i < st->n_series && !found; i++) {
                struct asked q = {grids[k], stream, m, &st->series[i]};
                bool here = q.x->log_sum[m] != NULL && strcmp(s->dims[q.x->dim], place->dim[0]) == 0 &&
                            lq_str_is(why__value(y, stream, q.x->dim, q.x->value), place->value[0]);
                if (here && k == 0) {
                    found = ask(y, &q, 0, grid_step(q.g, x->time_us));
                    found = ask(y, &q, 0, grid_step(q.g, x->low_us)) || found;
                } else if (here) {
                    uint32_t to = grid_step(q.g, x->low_us), range = (to - grid_step(q.g, y->a->from_us)) / FAR_PART;
                    found = ask(y, &q, to - range, to > 0 ? to - 1 : 0);
                }
            }
        }
    }
}

void why__place_findings(struct why *y)
{
    const struct why_answer *a = y->a;
    uint32_t steps = y->far.steps > y->near.steps ? y->far.steps : y->near.steps;
    why__alloc_scratch(y, steps);
    for (uint32_t k = 0; k < a->n_where; k++) {
        const struct why_where *w = &a->where[k];
        bool one = w->share >= SHARE_MIN && w->subject.dim[0] != NULL && why__is_place(w->subject.dim[0]);
        for (uint32_t i = 0; i < y->near.n_streams && one; i++) {
            ask_place(y, i, &w->subject);
        }
    }
    why__free_scratch(y);
}

/* Of one place, what was found about the whole range, or about all places and given to this one, is the same rise seen
 * less exactly. */
void why__drop_inexact(struct why *y)
{
    for (size_t i = 0; i < y->n_findings; i++) {
        const struct finding *f = &y->findings[i];
        for (size_t k = 0; k < y->n_findings && f->here && f->accepted && !f->at_onset; k++) {
            struct finding *b = &y->findings[k];
            bool same = b != f && b->metric == METRIC_MEASURE && b->stream == f->stream && b->dim == f->dim &&
                        b->value == f->value && b->measure == f->measure && b->after > b->before;
            bool later = b->time_us > f->time_us - SAME_S * US && (!b->here || b->time_us > f->time_us);
            b->accepted = b->accepted && !(same && later);
        }
    }
}
