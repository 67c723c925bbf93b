/*
 * why_target.c - what went wrong, as a series: errors of requests by default, or any query of one column
 *
 * A share (errors of requests, a ratio of counts) is kept as successes and trials, a count as counts, anything else as
 * values with the number of records as weight. The step is the finest that the range allows: 10 s within hours, a
 * minute for weeks.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "query/change/why_int.h"
#include "query/exec.h"

enum { CONTINUES_STEPS = 10, VALUE_STEPS = 1000, TARGET_STEPS_MAX = 60000 };

static bool is_count(const struct query *q, const struct column_expr *c)
{
    return c->op == COLUMN_AGG && (q->aggs[c->agg].func == AGG_COUNT || q->aggs[c->agg].func == AGG_ERRORS);
}

static enum lq_err refuse(struct lq_error *e, const char *target, const char *what)
{
    lq_error_set(e, LQ_EINVAL, "the target \"%s\" %s", target, what);
    lq_error_hint(
        e, "a target is a query of one column, like: errors, route = \"/login\" | errors, count, p99(request_time)");
    return LQ_EINVAL;
}

/* The columns asked from the store: two of them, whatever was written. */
static enum lq_err shape_query(struct why *y, struct query *q, struct query *counts, struct lq_error *e)
{
    struct column_expr *c = q->columns[0], *count = counts->columns[0], *errors = counts->columns[1];
    const char *text = y->o->target != NULL ? y->o->target : "errors";
    if (q->n_columns != 1 || q->n_by > 0 || q->top > 0 || q->limit > 0 || q->compare_us > 0 || q->change ||
        q->distribution || q->lines > 0) {
        return refuse(e, text, q->n_columns != 1 ? "has more than one column" : "has a by or a stage");
    }
    if (q->n_aggs + 2 > QUERY_AGGS_MAX) {
        return refuse(e, text, "is too long");
    }
    uint32_t base = q->n_aggs;
    q->aggs[q->n_aggs++] = counts->aggs[count->agg];
    q->aggs[q->n_aggs++] = counts->aggs[errors->agg];
    count->agg = base;
    errors->agg = base + 1;
    q->n_columns = q->n_out = 3;
    q->columns[2] = count;
    y->a->noun = "errors";
    if (c->op == COLUMN_AGG && q->aggs[c->agg].func == AGG_ERRORS) {
        y->t.kind = TARGET_SHARE;
        q->columns[1] = count;
    } else if (is_count(q, c) || (c->op == COLUMN_AGG && q->aggs[c->agg].func == AGG_RATE)) {
        y->t.kind = TARGET_COUNT;
        y->a->noun = "records";
        c->agg = base;
        q->columns[1] = count;
    } else if (c->op == COLUMN_DIV && is_count(q, c->a) && is_count(q, c->b)) {
        y->t.kind = TARGET_SHARE;
        q->columns[0] = c->a;
        q->columns[1] = c->b;
    } else {
        y->t.kind = TARGET_VALUE;
        q->columns[1] = count;
        y->a->noun = why__printf(y->a, "%.*s", (int)q->column_names[0].n, q->column_names[0].p);
    }
    return LQ_OK;
}

static int64_t base_step(const struct why *y, int64_t span_s)
{
    bool fine = true;
    for (uint32_t i = 0; i < snapshot_streams(y->s); i++) {
        const struct stream_info *x = snapshot_stream(y->s, i);
        fine = fine && (x->lines == 0 || x->tier_from_s[TIER_10S] <= x->first_us / US);
    }
    if (y->t.kind == TARGET_VALUE) {
        int64_t step = fine && span_s <= 4 * 3600 ? 10 : 60;
        while (span_s / step > VALUE_STEPS) {
            step = step < 60 ? 60 : step < 300 ? step + 60 : step < 3600 ? step + 300 : step + 3600;
        }
        return step;
    }
    return fine && span_s <= 6 * 3600                                              ? 10
           : span_s / 60 <= TARGET_STEPS_MAX && span_s <= tiers[TIER_1MIN].reach_s ? 60
                                                                                   : 3600;
}

/* The stream that answers: requests before events, then the most records (of events: the most errors). */
static uint32_t choose_series(struct why *y, const struct result *r)
{
    uint32_t best = UINT32_MAX;
    double most = -1;
    for (uint32_t i = 0; i < r->n_series; i++) {
        const struct stream_info *x = snapshot_stream_named(y->s, r->series[i].stream);
        bool requests = x->schema->kind == STREAM_REQUESTS;
        double w = 0;
        for (uint32_t t = 0; t < r->steps; t++) {
            const double *v = &r->series[i].values[(size_t)t * r->n_columns];
            w += requests || y->t.kind != TARGET_SHARE ? v[2] : v[0] * 1e-3;
        }
        w += requests ? 1e15 : 0;
        if (w > most) {
            most = w;
            best = i;
        }
    }
    return best;
}

/* Another stream of requests that writes while the chosen one does not: the same log, in another format from then on. */
static bool continues(const struct why *y, const struct result *r, uint32_t which, uint32_t other)
{
    const struct stream_info *x = snapshot_stream_named(y->s, r->series[other].stream);
    double apart = 0, both = 0;
    if (other == which || y->t.kind == TARGET_VALUE || x->schema->kind != STREAM_REQUESTS ||
        snapshot_stream_named(y->s, r->series[which].stream)->schema->kind != STREAM_REQUESTS) {
        return false;
    }
    for (uint32_t t = 0; t < r->steps; t += CONTINUES_STEPS) {
        double a = 0, b = 0;
        for (uint32_t k = t; k < t + CONTINUES_STEPS && k < r->steps; k++) {
            double v = r->series[which].values[(size_t)k * r->n_columns + 2],
                   u = r->series[other].values[(size_t)k * r->n_columns + 2];
            a += isfinite(v) ? v : 0;
            b += isfinite(u) ? u : 0;
        }
        *(a > 0 ? &both : &apart) += b;
    }
    return apart > 0 && both < 0.1 * (apart + both);
}

static void add_series(struct target *t, const struct result *r, uint32_t which)
{
    const double *v = r->series[which].values;
    for (uint32_t i = 0; i < t->n; i++, v += r->n_columns) {
        bool ok = isfinite(v[0]) && isfinite(v[1]) && v[1] > 0;
        t->seen[i] += isfinite(v[2]) ? v[2] : 0;
        if (t->kind == TARGET_COUNT) {
            t->num[i] += isfinite(v[0]) ? v[0] : 0;
        } else if (ok) {
            t->den[i] += v[1];
            t->num[i] += t->kind == TARGET_SHARE && v[0] > v[1] ? v[1] : v[0];
        }
    }
}

static bool is_part(const struct target *t, const char *stream, const struct why *y)
{
    for (uint32_t i = 0; i < t->n_parts; i++) {
        if (t->parts[i] == snapshot_stream_named(y->s, stream)) {
            return true;
        }
    }
    return false;
}

/* After the onset was found: the format that was written then is the one to look into. */
void why__target_at(struct why *y, int64_t us)
{
    for (uint32_t i = 0; i < y->t.n_parts; i++) {
        const struct stream_info *x = y->t.parts[i];
        bool there = x->first_us <= us && x->last_us >= us,
             here = y->t.info->first_us <= us && y->t.info->last_us >= us;
        if (there && !here) {
            y->t.info = x;
        }
    }
    y->a->stream = why__printf(y->a, "%s", y->t.info->schema->name);
}

static void take_series(struct why *y, const struct result *r, uint32_t which)
{
    struct target *t = &y->t;
    const double *v = r->series[which].values;
    t->info = snapshot_stream_named(y->s, r->series[which].stream);
    t->from_s = r->step_start_us[0] / US;
    t->step_s = r->step_us / US;
    t->n = r->steps;
    t->num = lq_alloc((t->n + 1) * sizeof *t->num);
    t->den = lq_alloc((t->n + 1) * sizeof *t->den);
    t->seen = lq_alloc((t->n + 1) * sizeof *t->seen);
    for (uint32_t i = 0; i < t->n; i++, v += r->n_columns) {
        bool ok = isfinite(v[0]) && isfinite(v[1]) && v[1] > 0;
        t->seen[i] = isfinite(v[2]) ? v[2] : 0;
        if (t->kind == TARGET_COUNT) {
            t->num[i] = isfinite(v[0]) ? v[0] : 0;
            t->den[i] = 1;
        } else if (ok) {
            t->den[i] = v[1];
            t->num[i] = t->kind == TARGET_SHARE && v[0] > v[1] ? v[1] : v[0];
        }
    }
    for (uint32_t i = 0; i < r->n_series; i++) {
        if (t->n_parts < TARGET_PARTS_MAX && continues(y, r, which, i)) {
            const struct stream_info *x = snapshot_stream_named(y->s, r->series[i].stream);
            add_series(t, r, i);
            t->parts[t->n_parts++] = x;
            why__notice(y->a, why__printf(y->a, "%s and %s are read as one log: it changed its format",
                                          r->series[which].stream, r->series[i].stream));
        }
    }
    for (uint32_t i = 0; i < r->n_series; i++) {
        if (i != which && !is_part(t, r->series[i].stream, y) &&
            snapshot_stream_named(y->s, r->series[i].stream)->schema->kind == t->info->schema->kind) {
            why__notice(y->a, why__printf(y->a, "the stream %s is asked; for another: --target \"stream = %s | %s\"",
                                          r->series[which].stream, r->series[i].stream, y->a->target));
            break;
        }
    }
}

static enum lq_err parse_pair(const char *text, struct query **q, struct query **counts, struct lq_error *e)
{
    enum lq_err err = query_parse(lq_str_of(text), q, e);
    return err != LQ_OK ? err : query_parse(LQ_STR("count, errors"), counts, e);
}

enum lq_err why__read_target(struct why *y, struct lq_error *e)
{
    struct query *q = NULL, *counts = NULL;
    struct result r = {0};
    const char *text = y->o->target != NULL ? y->o->target : "errors";
    y->a->target = why__printf(y->a, "%s", text);
    enum lq_err err = parse_pair(text, &q, &counts, e);
    if (err == LQ_OK) {
        err = shape_query(y, q, counts, e);
    }
    if (err == LQ_OK) {
        int64_t span = (y->a->to_us - y->a->from_us) / US, step = base_step(y, span);
        q->every_us = (step > q->every_us / US ? step : q->every_us / US) * US;
        struct exec_options o = {.from_us = y->a->from_us, .to_us = y->a->to_us, .budget = y->o->budget};
        err = exec_query(y->s, q, &o, &r, e);
        if (err == LQ_EINVAL && y->o->target == NULL) {
            err = lq_error_set(e, LQ_ENODATA, "no line was understood, so there is nothing to count");
            lq_error_hint(e, "lq format try FILE shows where the formats stop matching");
        }
    }
    if (err == LQ_OK && r.n_series == 0) {
        err = lq_error_set(e, LQ_ENODATA, "nothing in this range matches the target");
    }
    if (err == LQ_OK) {
        take_series(y, &r, choose_series(y, &r));
        y->a->share = y->t.kind == TARGET_SHARE;
        y->a->requests_kind = y->t.info->schema->kind == STREAM_REQUESTS;
        y->a->unit = y->a->share ? " %" : y->t.kind == TARGET_COUNT ? " a minute" : "";
        y->a->unit_scale = y->a->share ? 100 : y->t.kind == TARGET_COUNT ? 60.0 / (double)y->t.step_s : 1;
        if (y->t.kind == TARGET_COUNT) {
            y->a->noun = y->a->requests_kind ? "requests" : "records";
        }
    }
    result_fini(&r);
    query_free(&q);
    query_free(&counts);
    return err;
}
